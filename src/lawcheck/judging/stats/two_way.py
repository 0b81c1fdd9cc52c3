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
from lawcheck.judging.stats.estimate import Estimate

Floats = NDArray[np.float64]
POINTS = 100.0
# Variances below this share of the squared largest contrast are rounding, not variation.
ROUNDING = 1e-14


def two_way(
    differences: Sequence[ArrayLike],
    weights: Sequence[float] | None = None,
    clusters: Sequence[ArrayLike | None] | None = None,
) -> Estimate:
    """Mean contrast over strata, in points, with the guarded two-way standard error.

    differences: per stratum an (n_seeds, n_items) array, 1 = 100 points, NaN = unscored.
    weights: one per stratum, default equal; they are scaled to sum to 1.
    clusters: per stratum n_items labels (items with one label are dependent), or None.

    Unscored cells are counted and left out of means. A seed without any scored item in some
    stratum is dropped from all of them, and counted. Strata with a single item have no item
    variance; their items count as fixed. One seed: items-only error, `single_run`. No variation
    at all: se 0. Raises InputError where shapes disagree or nothing is scored.
    """
    cubes = [np.array(d, dtype=np.float64, ndmin=2) for d in differences]
    share = _weights(weights, len(cubes))
    n_seeds = _check(cubes)
    n_items = sum(c.shape[1] for c in cubes)
    n_unscored = sum(int(np.isnan(c).sum()) for c in cubes)
    scored = np.all([~np.isnan(c).all(axis=1) for c in cubes], axis=0)
    if not scored.any():
        raise InputError("no seed has a scored item in every discipline")
    cubes = [c[scored] for c in cubes]
    labels = [None] * len(cubes) if clusters is None else list(clusters)
    if len(labels) != len(cubes):
        raise InputError(f"contrast: {len(labels)} cluster lists for {len(cubes)} strata")
    units = [
        c if names is None else _by_cluster(c, names)
        for c, names in zip(cubes, labels, strict=True)
    ]
    parts = [_stratum_with_gaps(u) if np.isnan(u).any() else _stratum(u) for u in units]
    # Clustering keeps each seed's mean; taking it from the items keeps it to the last bit.
    means = np.stack([np.nanmean(c, axis=1) for c in cubes])
    largest = max(float(np.nanmax(np.abs(c))) for c in cubes)
    kept = int(scored.sum())
    value, v_seed, v_item, df_item, se, df = _combine(
        means, parts, share, kept, ROUNDING * largest**2
    )
    return Estimate(
        value=float(value) * POINTS,
        se=float(se) * POINTS,
        df=float(df),
        n_seeds=kept,
        n_items=n_items,
        n_unscored=n_unscored,
        n_clusters=sum(u.shape[1] for u in units),
        n_dropped=n_seeds - kept,
        seed_variance=float(v_seed) * kept * POINTS**2,
        item_variance=float(v_item) * POINTS**2,
        item_df=float(df_item),
        single_run=kept == 1,
    )


def two_way_batch(
    differences: Sequence[Floats], weights: Sequence[float] | None = None
) -> tuple[Floats, Floats, Floats]:
    """value, se (points) and df of many data sets at once, as in `two_way`.

    differences: per stratum (..., n_seeds, n_items), complete, at least two seeds.
    """
    share = _weights(weights, len(differences))
    n_seeds = differences[0].shape[-2]
    means = np.stack([d.mean(axis=-1) for d in differences])
    parts = [_stratum(d) for d in differences]
    largest = max(float(np.abs(d).max()) for d in differences)
    value, _, _, _, se, df = _combine(means, parts, share, n_seeds, ROUNDING * largest**2)
    return value * POINTS, se * POINTS, df


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


# (variance of the item means / n_items, residual variance of the same, their dfs)
Terms = tuple[Floats, Floats, float, float]


def _stratum(cube: Floats) -> Terms:
    """Item and residual variance of a complete (..., S, I) array's mean."""
    s, i = cube.shape[-2:]
    nothing = np.zeros(cube.shape[:-2])
    if i < 2:
        return nothing, nothing, math.inf, math.inf
    item_means = cube.mean(axis=-2)
    v_item = item_means.var(axis=-1, ddof=1) / i
    if s < 2:
        return v_item, nothing, i - 1.0, math.inf
    seed_means = cube.mean(axis=-1)
    grand = seed_means.mean(axis=-1)
    # Sums of squares instead of a residual array: the largest tables fit in memory twice.
    squares = np.einsum("...si,...si->...", cube, cube)
    rows = i * np.einsum("...s,...s->...", seed_means, seed_means)
    columns = s * np.einsum("...i,...i->...", item_means, item_means)
    residual = np.maximum(squares - rows - columns + s * i * grand**2, 0.0)
    df_res = (s - 1.0) * (i - 1.0)
    return v_item, residual / df_res / (s * i), i - 1.0, df_res


def _stratum_with_gaps(cube: Floats) -> Terms:
    """`_stratum` for an (S, I) array with NaN: additive fit to the cells that are scored."""
    cube = cube[:, ~np.isnan(cube).all(axis=0)]
    s, i = cube.shape
    nothing = np.zeros(())
    if i < 2:
        return nothing, nothing, math.inf, math.inf
    seen = ~np.isnan(cube)
    values = np.where(seen, cube, 0.0)
    per_item, per_seed = seen.sum(axis=0), seen.sum(axis=1)
    v_item = np.asarray((values.sum(axis=0) / per_item).var(ddof=1) / i)
    df_res = float(seen.sum() - s - i + 1)
    if s < 2 or df_res < 1:
        return v_item, nothing, i - 1.0, math.inf
    seed_effect = np.zeros((s, 1))
    for _ in range(1000):
        item_effect = ((values - seed_effect) * seen).sum(axis=0) / per_item
        last = seed_effect
        seed_effect = (((values - item_effect) * seen).sum(axis=1) / per_seed)[:, None]
        if np.max(np.abs(seed_effect - last)) < 1e-12:
            break
    residual = (((values - item_effect - seed_effect) * seen) ** 2).sum() / df_res
    # An item mean of n seeds carries residual / n, so gaps enter through the mean of 1 / n.
    return v_item, np.asarray(residual * (1 / per_item).mean() / i), i - 1.0, df_res


def _combine(
    means: Floats, parts: Sequence[Terms], share: Floats, n_seeds: int, rounding: float
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """value, seed and item variance, item df, se, df. means: (n_strata, ..., n_seeds)."""
    per_seed = np.tensordot(share, means, axes=1)
    value = per_seed.mean(axis=-1)
    v_seed = per_seed.var(axis=-1, ddof=1) / n_seeds if n_seeds > 1 else np.zeros(value.shape)
    v_item, spread = np.zeros(value.shape), np.zeros(value.shape)
    for w, (item, residual, df_item, df_res) in zip(share, parts, strict=True):
        v_item = v_item + w**2 * (item - residual)
        spread = spread + w**4 * (item**2 / df_item + residual**2 / df_res)
    # The guard: items may only add to the seed variance, never take from it.
    v_item = np.where(v_item > rounding, v_item, 0.0)
    v_seed = np.where(v_seed > rounding, v_seed, 0.0)
    total = v_seed + v_item
    with np.errstate(divide="ignore", invalid="ignore"):
        item_df = np.where(v_item > 0, v_item**2 / spread, math.inf)
        seeds = v_seed**2 / (n_seeds - 1) if n_seeds > 1 else np.zeros(value.shape)
        df = total**2 / (seeds + np.where(v_item > 0, spread, 0.0))
    df = np.where(total > 0, np.maximum(df, 1.0), 1.0)
    return value, v_seed, v_item, item_df, np.sqrt(total), df


def _by_cluster(cube: Floats, labels: ArrayLike) -> Floats:
    """(S, I) items to (S, C) clusters with the same mean per seed.

    Clusters differ in size, so the item mean is a ratio; each cluster enters by its linearised
    part, which gives the usual cluster-robust variance (Miller 2024, section 2.2).
    """
    names, code = np.unique(np.asarray(labels), return_inverse=True)
    if code.size != cube.shape[1]:
        raise InputError(f"contrast: {code.size} cluster labels for {cube.shape[1]} items")
    belongs = np.zeros((code.size, names.size))
    belongs[np.arange(code.size), code] = 1.0
    seen = ~np.isnan(cube)
    mean = np.nanmean(cube, axis=1, keepdims=True)
    sums = np.where(seen, cube - mean, 0.0) @ belongs
    counts = seen @ belongs
    scale = (counts > 0).sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
    return np.where(counts > 0, mean + scale * sums, np.nan)


def _weights(weights: Sequence[float] | None, n: int) -> Floats:
    if n == 0:
        raise InputError("contrast: no stratum; give at least one (seeds, items) array")
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n,) or not np.all(share > 0):
        raise InputError(f"contrast: weights {list(share)}, expected {n} positive numbers")
    return share / share.sum()


def _check(cubes: Sequence[Floats]) -> int:
    rows = {c.shape[0] for c in cubes}
    if len(rows) != 1 or any(c.ndim != 2 for c in cubes):
        shapes = ", ".join(str(c.shape) for c in cubes)
        raise InputError(f"contrast: strata of shapes {shapes}; expected (seeds, items) each")
    if any(c.size == 0 for c in cubes):
        raise InputError("contrast: a stratum has zero items or seeds; give scored items")
    if any(np.isinf(c).any() for c in cubes):
        raise InputError("contrast: infinite value; expected finite numbers or NaN for unscored")
    return rows.pop()
