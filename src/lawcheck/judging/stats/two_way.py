"""The guarded two-way t: contrasts whose seeds and items are crossed random effects.

Strata (disciplines, or the tasks inside them) are fixed with fixed weights. Seeds are shared by
all strata, items belong to one. docs/statistics.md gives the derivation and its calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawcheck.errors import InputError
from lawcheck.judging.stats.estimate import Estimate, effective_df

Floats = NDArray[np.float64]
POINTS = 100.0
# Level, one-sided, of the degrees of freedom that an estimate carries.
ALPHA = 0.05
# Variances below this share of the squared largest contrast are rounding, not variation.
ROUNDING = 1e-14


def two_way(
    differences: Sequence[ArrayLike],
    weights: Sequence[float] | None = None,
    clusters: Sequence[ArrayLike | None] | None = None,
    skewed: bool = False,
) -> Estimate:
    """Mean contrast over strata, in points, with the guarded two-way standard error.

    differences: per stratum an (n_seeds, n_items) array, 1 = 100 points, NaN = unscored.
    weights: one per stratum, default equal; they are scaled to sum to 1.
    clusters: per stratum n_items labels (items with one label are dependent), or None. skewed:
    whether a few items may carry the mean, so that bounds allow for skewness.

    Unscored cells are counted and left out of means. A seed without any scored item in some
    stratum is dropped from all of them, and counted. Strata with a single item, or cluster, have
    no item variance; their items count as fixed. One seed: items-only error, `single_run`. No
    variation at all: se 0. Raises InputError where shapes disagree or nothing is scored.
    """
    cubes = [np.array(d, dtype=np.float64, ndmin=2) for d in differences]
    share = weights_of(weights, len(cubes))
    n_seeds = check_cubes(cubes)
    n_items = sum(c.shape[1] for c in cubes)
    n_unscored = sum(int(np.isnan(c).sum()) for c in cubes)
    scored = np.all([~np.isnan(c).all(axis=1) for c in cubes], axis=0)
    if not scored.any():
        raise InputError("no seed has a scored item in every discipline")
    cubes = [c[scored] for c in cubes]
    codes = codes_of(clusters, cubes)
    parts = [item_terms(c, code) for c, code in zip(cubes, codes, strict=True)]
    means = np.stack([np.nanmean(c, axis=1) for c in cubes])
    largest = max(float(np.nanmax(np.abs(c))) for c in cubes)
    kept = int(scored.sum())
    value, v_seed, v_item, df_item = _combine(means, parts, share, kept, ROUNDING * largest**2)
    total = float(v_seed + v_item)
    # Nothing varies: one degree of freedom, and nothing reads it.
    df = float(effective_df(ALPHA, v_seed / total, kept - 1.0, df_item)) if total > 0 else 1.0
    return Estimate(
        value=float(value) * POINTS,
        se=math.sqrt(total) * POINTS,
        df=df,
        n_seeds=kept,
        n_items=n_items,
        n_unscored=n_unscored,
        n_clusters=sum(
            c.shape[1] if code is None else int(code.max()) + 1
            for c, code in zip(cubes, codes, strict=True)
        ),
        n_dropped=n_seeds - kept,
        seed_variance=float(v_seed) * kept * POINTS**2,
        item_variance=float(v_item) * POINTS**2,
        item_df=float(df_item),
        single_run=kept == 1,
        skew=float(skewness(cubes, share, codes, total)) if skewed and total > 0 else 0.0,
    )


def skewness(
    cubes: Sequence[Floats],
    share: Floats,
    codes: Sequence[NDArray[np.intp] | None],
    variance: ArrayLike,
) -> Floats:
    """Third cumulant of the mean over its standard error cubed, as far as items make it.

    cubes: per stratum (..., n_seeds, n_items), NaN for what is unscored. variance: (...), of the
    mean. A stratum of fewer than three items, or clusters, adds nothing.
    """
    third = np.zeros(cubes[0].shape[:-2])
    for cube, code, w in zip(cubes, codes, share, strict=True):
        seen = ~np.isnan(cube)
        count = seen.sum(axis=-2)
        there = count > 0
        mean = np.where(seen, cube, 0.0).sum(axis=-2) / np.maximum(count, 1)
        items = there.sum(axis=-1, keepdims=True)
        grand = np.where(there, mean, 0.0).sum(axis=-1, keepdims=True) / items
        part = np.where(there, mean - grand, 0.0) / items
        if code is not None:
            order = np.argsort(code, kind="stable")
            part = np.add.reduceat(
                part[..., order], np.flatnonzero(np.diff(code[order], prepend=-1)), axis=-1
            )
        n = part.shape[-1]
        if n > 2:
            third = third + w**3 * (part**3).sum(axis=-1) * n**2 / (n - 1) / (n - 2)
    return third / np.asarray(variance) ** 1.5


def two_way_batch(
    differences: Sequence[Floats],
    weights: Sequence[float] | None = None,
    clusters: Sequence[ArrayLike | None] | None = None,
    alpha: ArrayLike = ALPHA,
) -> tuple[Floats, Floats, Floats]:
    """value, se (points) and df of many data sets at once, as in `two_way`.

    differences: per stratum (..., n_seeds, n_items), complete, at least two seeds. alpha: level of
    the effective df, one-sided; several levels give df one leading axis.
    """
    share = weights_of(weights, len(differences))
    n_seeds = differences[0].shape[-2]
    means = np.stack([d.mean(axis=-1) for d in differences])
    codes = codes_of(clusters, differences)
    parts = [item_terms(d, code) for d, code in zip(differences, codes, strict=True)]
    largest = max(float(np.abs(d).max()) for d in differences)
    value, v_seed, v_item, df_item = _combine(means, parts, share, n_seeds, ROUNDING * largest**2)
    total = v_seed + v_item
    of_seeds = np.divide(v_seed, total, out=np.ones(total.shape), where=total > 0)
    levels = np.asarray(alpha, dtype=np.float64)
    levels = levels.reshape(levels.shape + (1,) * total.ndim)
    df = effective_df(levels, of_seeds, n_seeds - 1.0, df_item)
    return value * POINTS, np.sqrt(total) * POINTS, df


def paired_t(differences: ArrayLike, n_items: int = 0, n_unscored: int = 0) -> Estimate:
    """Paired t over seeds: one difference a seed, in its own unit; items are taken as fixed.

    NaN drops the seed. One difference has no standard error (None).
    """
    values = np.asarray(differences, dtype=np.float64).ravel()
    kept = values[~np.isnan(values)]
    if kept.size == 0:
        raise InputError("paired t: no seed has a value; score at least two seeds")
    one = kept.size == 1
    variance = 0.0 if one else float(kept.var(ddof=1))
    if variance <= ROUNDING * float(np.max(np.abs(kept))) ** 2:
        variance = 0.0
    return Estimate(
        value=float(kept.mean()),
        se=None if one else math.sqrt(variance / kept.size),
        df=None if one else float(kept.size - 1),
        n_seeds=int(kept.size),
        n_items=n_items,
        n_unscored=n_unscored,
        n_clusters=n_items,
        n_dropped=int(values.size - kept.size),
        seed_variance=variance,
        single_run=one,
    )


# Variance of the mean over seeds: from its items (clusters), from the residual, df of the former.
Terms = tuple[Floats, Floats, Floats | float]


def item_terms(cube: Floats, clusters: ArrayLike | None = None) -> Terms:
    """Item and residual variance of a stratum's mean over seeds, in the unit of cube squared.

    cube: (..., n_seeds, n_items), or (n_seeds, n_items) with NaN for what is unscored. clusters:
    a label for each item; None: items are independent.
    """
    (code,) = codes_of([clusters], [cube])
    if code is not None:
        return _clustered(cube, code)
    return _stratum_with_gaps(cube) if np.isnan(cube).any() else _stratum(cube)


def _stratum(cube: Floats) -> Terms:
    """Item and residual variance of a complete (..., S, I) array's mean."""
    s, i = cube.shape[-2:]
    nothing = np.zeros(cube.shape[:-2])
    if i < 2:
        return nothing, nothing, math.inf
    item_means = cube.mean(axis=-2)
    v_item = item_means.var(axis=-1, ddof=1) / i
    if s < 2:
        return v_item, nothing, i - 1.0
    seed_means = cube.mean(axis=-1)
    grand = seed_means.mean(axis=-1)
    # Sums of squares instead of a residual array: the largest tables fit in memory twice.
    squares = np.einsum("...si,...si->...", cube, cube)
    rows = i * np.einsum("...s,...s->...", seed_means, seed_means)
    columns = s * np.einsum("...i,...i->...", item_means, item_means)
    residual = np.maximum(squares - rows - columns + s * i * grand**2, 0.0)
    df_res = (s - 1.0) * (i - 1.0)
    return v_item, residual / df_res / (s * i), i - 1.0


def _stratum_with_gaps(cube: Floats) -> Terms:
    """`_stratum` for an (S, I) array with NaN: additive fit to the cells that are scored."""
    cube = cube[:, ~np.isnan(cube).all(axis=0)]
    s, i = cube.shape
    nothing = np.zeros(())
    if i < 2:
        return nothing, nothing, math.inf
    seen = ~np.isnan(cube)
    values = np.where(seen, cube, 0.0)
    per_item, per_seed = seen.sum(axis=0), seen.sum(axis=1)
    v_item = np.asarray((values.sum(axis=0) / per_item).var(ddof=1) / i)
    df_res = float(seen.sum() - s - i + 1)
    if s < 2 or df_res < 1:
        return v_item, nothing, i - 1.0
    seed_effect = np.zeros((s, 1))
    for _ in range(1000):
        item_effect = ((values - seed_effect) * seen).sum(axis=0) / per_item
        last = seed_effect
        seed_effect = (((values - item_effect) * seen).sum(axis=1) / per_seed)[:, None]
        if np.max(np.abs(seed_effect - last)) < 1e-12:
            break
    residual = (((values - item_effect - seed_effect) * seen) ** 2).sum() / df_res
    # An item mean of n seeds carries residual / n, so gaps enter through the mean of 1 / n.
    return v_item, np.asarray(residual * (1 / per_item).mean() / i), i - 1.0


def _clustered(cube: Floats, code: NDArray[np.intp]) -> Terms:
    """`_stratum` over clusters of items, NaN allowed: CR2 (Bell and McCaffrey 2002).

    A cluster enters by its linearised part of each seed's item mean. The square of a large
    cluster's part is too small, because the mean leans towards it; the factor undoes that for
    items that agree inside their cluster, the case that clusters are declared for (for independent
    items the error is then too large). The degrees of freedom are those of the weighted sum of
    squares in the same case. Equal clusters give the plain formulas over clusters.
    """
    s = cube.shape[-2]
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    seen = ~np.isnan(cube)
    count = seen.sum(axis=-1, keepdims=True)
    values = np.where(seen, cube, 0.0)
    off = np.where(seen, values - values.sum(axis=-1, keepdims=True) / count, 0.0)
    part = np.add.reduceat(off[..., order], starts, axis=-1) / count
    sizes = np.add.reduceat(seen[..., order], starts, axis=-1, dtype=np.float64)
    size = (sizes / count).mean(axis=-2)
    nothing = np.zeros(cube.shape[:-2])
    if (size > 0).sum(axis=-1).min() < 2:
        return nothing, nothing, math.inf
    even = (size**2).sum(axis=-1, keepdims=True)
    factor = 1 / (1 - 2 * size + even)
    centre = part.mean(axis=-2)
    v_item = (factor * centre**2).sum(axis=-1)
    # Trace of the squared quadratic form, whose own trace is `even`, for clusters of one variance.
    weight, lean = size**2 * factor, size - even / 2
    squares = (
        2 * weight.sum(axis=-1) * (weight * lean**2).sum(axis=-1)
        + 2 * (weight * lean).sum(axis=-1) ** 2
        + (weight**2 * (1 - 4 * lean)).sum(axis=-1)
    )
    df = even[..., 0] ** 2 / squares
    if s < 2:
        return v_item, nothing, df
    spread = ((part - centre[..., None, :]) ** 2).sum(axis=-2)
    return v_item, (factor * spread).sum(axis=-1) / ((s - 1.0) * s), df


def _combine(
    means: Floats, parts: Sequence[Terms], share: Floats, n_seeds: int, rounding: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """value, seed and item variance, item df. means: (n_strata, ..., n_seeds)."""
    per_seed = np.tensordot(share, means, axes=1)
    value = per_seed.mean(axis=-1)
    v_seed = per_seed.var(axis=-1, ddof=1) / n_seeds if n_seeds > 1 else np.zeros(value.shape)
    v_item, items, spread = (np.zeros(value.shape) for _ in range(3))
    for w, (item, residual, df_item) in zip(share, parts, strict=True):
        v_item = v_item + w**2 * (item - residual)
        items = items + w**2 * item
        spread = spread + w**4 * item**2 / df_item
    # The guard: items may only add to the seed variance, never take from it.
    v_item = np.where(v_item > rounding, v_item, 0.0)
    v_seed = np.where(v_seed > rounding, v_seed, 0.0)
    # Of the item terms before the residual leaves them: what is left when it has is too noisy to
    # count degrees of freedom by, just where it is small and hardly matters.
    item_df = np.divide(items**2, spread, out=np.full(value.shape, math.inf), where=spread > 0)
    return value, v_seed, v_item, item_df


def codes_of(
    clusters: Sequence[ArrayLike | None] | None, cubes: Sequence[Floats]
) -> list[NDArray[np.intp] | None]:
    """Cluster of each item as a number from 0; None where every item is its own."""
    labels = [None] * len(cubes) if clusters is None else list(clusters)
    if len(labels) != len(cubes):
        raise InputError(f"contrast: {len(labels)} cluster lists for {len(cubes)} strata")
    found: list[NDArray[np.intp] | None] = []
    for names, cube in zip(labels, cubes, strict=True):
        if names is None:
            found.append(None)
            continue
        kinds, code = np.unique(np.asarray(names), return_inverse=True)
        if code.size != cube.shape[-1]:
            raise InputError(f"contrast: {code.size} cluster labels for {cube.shape[-1]} items")
        found.append(None if kinds.size == code.size else code)
    return found


def weights_of(weights: Sequence[float] | None, n: int) -> Floats:
    if n == 0:
        raise InputError("contrast: no stratum; give at least one (seeds, items) array")
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n,) or not np.all(share > 0):
        raise InputError(f"contrast: weights {list(share)}, expected {n} positive numbers")
    return share / share.sum()


def check_cubes(cubes: Sequence[Floats]) -> int:
    rows = {c.shape[0] for c in cubes}
    if len(rows) != 1 or any(c.ndim != 2 for c in cubes):
        shapes = ", ".join(str(c.shape) for c in cubes)
        raise InputError(f"contrast: strata of shapes {shapes}; expected (seeds, items) each")
    if any(c.size == 0 for c in cubes):
        raise InputError("contrast: a stratum has zero items or seeds; give scored items")
    if any(np.isinf(c).any() for c in cubes):
        raise InputError("contrast: infinite value; expected finite numbers or NaN for unscored")
    return rows.pop()
