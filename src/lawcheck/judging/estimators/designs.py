"""Estimands over whole designs: roughness of data curves, spread over seeds, rank correlation."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm, Target
from lawcheck.declare.estimands import (
    DIVERGENCE,
    DIVERSITY,
    PARENT_GAP,
    Curve,
    RankCorrelation,
    RoughnessRatio,
    SeedSpread,
)
from lawcheck.errors import InputError, nearest
from lawcheck.judging.estimators.finding import Finding, estimate
from lawcheck.judging.evidence import Evidence, MissingScoresError, Stratum
from lawcheck.judging.stats import (
    FEWEST,
    POINTS,
    Estimate,
    above_rounding,
    item_terms,
    log_ratio,
    log_variance_ratio,
    off_line,
    paired_t,
    roughness,
    run_variance,
    spearman,
)
from lawcheck.scores import DISTINCT

Floats = NDArray[np.float64]
Levels = dict[Arm, Floats]
# Decimals of a score in points; one item of a million moves the fourth.
TIE = 9


@estimate.register
def _roughness(estimand: RoughnessRatio, evidence: Evidence) -> Finding:
    if estimand.components:
        return _run_to_run(
            [
                [_off_line(curve) for curve in side]
                for side in (estimand.treatments, estimand.controls)
            ],
            (estimand.disciplines, estimand.control_disciplines),
            evidence,
            unit="log ratio of SDs",
        )
    levels, names, notes = evidence.levels(estimand.arms)
    sides = (
        (estimand.treatments, estimand.disciplines),
        (estimand.controls, estimand.control_disciplines),
    )
    # One logarithm a curve: sides with different numbers of curves then carry the same bias, which
    # cancels. Disciplines are pooled first: three degrees of freedom alone make a noisy logarithm.
    variances = [
        [_residual_variance(levels, curve, _columns(wanted, names, evidence)) for curve in side]
        for side, wanted in sides
    ]
    unit = "log ratio of SDs"
    if not all((v > 0).all() for side in variances for v in side):
        why = "a curve lies exactly on its line, its roughness has no logarithm; score more items"
        return _undefined(len(next(iter(levels.values()))), unit, notes, why)
    top, bottom = (np.mean(np.log(side), axis=0) for side in variances)
    with evidence.named():
        result = paired_t(0.5 * (top - bottom))
    return Finding(estimate=result, unit=unit, notes=notes)


def _undefined(n_seeds: int, unit: str, notes: tuple[str, ...], why: str) -> Finding:
    """Of scores that are there and on which the quantity is not defined."""
    nothing = Estimate(value=math.nan, se=None, df=None, n_seeds=n_seeds)
    return Finding(estimate=nothing, unit=unit, notes=(*notes, f"no estimate: {why}"))


def _residual_variance(levels: Levels, curve: Curve, columns: list[int]) -> Floats:
    """Mean over disciplines of the residual variance of one curve; (n_seeds,)."""
    values = np.stack([levels[a][:, columns] for a in curve], axis=-1)
    fractions = [a.recipe.fraction for a in curve if a.recipe is not None]
    return above_rounding((roughness(fractions, values) ** 2).mean(axis=1), values)


def _columns(
    wanted: tuple[str, ...] | None, names: tuple[str, ...], evidence: Evidence
) -> list[int]:
    for name in wanted or ():
        if name not in names:
            raise MissingScoresError(
                f"{evidence.what} needs discipline {name!r}, found no scores of it "
                f"({nearest(name, names)}); {evidence.how}"
            )
    return [k for k, name in enumerate(names) if wanted is None or name in wanted]


@estimate.register
def _spread(estimand: SeedSpread, evidence: Evidence) -> Finding:
    if estimand.base is not None:
        return _run_to_run(
            [
                [_gain(arm, estimand.base) for arm in side]
                for side in (estimand.treatments, estimand.controls)
            ],
            (None, None),
            evidence,
            unit="log ratio of variances",
        )
    levels, _, notes = evidence.levels(estimand.arms)
    multi, single = (
        np.stack([levels[a] for a in side]) for side in (estimand.treatments, estimand.controls)
    )
    _require_spread(estimand, multi.shape[1], evidence)
    unit = "log ratio of variances"
    variances = [above_rounding(side.var(axis=1, ddof=1), side) for side in (multi, single)]
    if not (np.concatenate(variances) > 0).all(axis=0).any():
        why = "no discipline varies over seeds in every arm; run more seeds or score more items"
        return _undefined(multi.shape[1], unit, notes, why)
    with evidence.named():
        result = log_variance_ratio(multi, single)
    if result.n_unscored:
        notes = (*notes, f"{result.n_unscored} disciplines left out: no variation over seeds")
    return Finding(estimate=result, unit=unit, notes=notes)


def _require_spread(estimand: SeedSpread, n_units: int, evidence: Evidence) -> None:
    if n_units > 1:
        return
    seeds, _ = evidence.common_seeds(estimand.arms, (s.task for s in evidence.strata("average")))
    found = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    raise MissingScoresError(
        f"{evidence.what}: a spread over seeds needs 2 or more that every arm has, found {found} "
        f"alone; train and score more seeds"
    )


# What of a curve or an arm may vary from run to run: contrasts of arms, and a name for notes.
Compared = tuple[str, list[tuple[tuple[Arm, float], ...]]]


def _off_line(curve: Curve) -> Compared:
    rows = off_line([a.recipe.fraction for a in curve if a.recipe is not None])
    contrasts = [tuple(zip(curve, map(float, row), strict=True)) for row in rows]
    return f"the curve to {curve[-1].name}", contrasts


def _gain(arm: Arm, base: Arm) -> Compared:
    return f"the gain of {arm.name}", [((arm, 1.0), (base, -1.0))]


def _run_to_run(
    sides: Sequence[Sequence[Compared]],
    disciplines: Sequence[tuple[str, ...] | None],
    evidence: Evidence,
    unit: str,
) -> Finding:
    """Log ratio of run-to-run variances, the first side over the second.

    Without an estimate where a variance is not above what its items explain: a ratio of it would
    be a number about the items.
    """
    strata = evidence.strata("average")
    named = tuple(dict.fromkeys(s.discipline for s in strata))
    arms = dict.fromkeys(a for side in sides for _, each in side for c in each for a, _ in c)
    seeds, notes = evidence.common_seeds(arms, (s.task for s in strata))
    cubes: dict[tuple[Arm, str], Floats] = {}
    based: tuple[str, ...] = ()
    for arm, stratum in product(arms, strata):
        cube = POINTS * evidence.scores.cube(arm.name, stratum.task, seeds)
        cubes[arm, stratum.task], based = evidence.by_base(np.asarray(cube), seeds)
    notes = (*evidence.gaps("average"), *notes, *based)
    n_seeds = next(iter(cubes.values())).shape[0]
    if n_seeds < FEWEST:
        why = f"{n_seeds} seeds, a run-to-run variance and its error need {FEWEST}"
        return _undefined(n_seeds, unit, notes, why)
    found: list[list[Floats]] = []
    for side, wanted in zip(sides, disciplines, strict=True):
        found.append([])
        columns = {named[c] for c in _columns(wanted, named, evidence)}
        chosen = [s for s in strata if s.discipline in columns]
        for name, contrasts in side:
            with evidence.named():
                values, noise = _means_and_noise(contrasts, chosen, cubes, evidence)
                variance = run_variance(values, noise)
            if variance.min() <= 0:
                seen, k = variance + noise.mean(), int(variance.argmin())
                where = f" without its seed {k} of {n_seeds}" if k else ""
                why = (
                    f"{name}{where} varies by {seen[k]:.3g} squared points over "
                    f"seeds, of which items explain {noise.mean():.3g}; run more seeds or score "
                    f"more items"
                )
                return _undefined(n_seeds, unit, notes, why)
            found[-1].append(variance)
    bare = [s.task for s in strata if cubes[next(iter(arms)), s.task].shape[1] < 2]
    if bare:
        notes = (*notes, f"one item in {', '.join(bare)}: its sampling noise is not subtracted")
    ratio = log_ratio(found[0], found[1], 0.5 if unit.endswith("SDs") else 1.0)
    counted = dataclasses.replace(
        ratio,
        n_items=sum(cubes[next(iter(arms)), s.task].shape[1] for s in strata),
        n_unscored=sum(int(np.isnan(c).sum()) for c in cubes.values()),
    )
    return Finding(estimate=counted, unit=unit, notes=notes)


def _means_and_noise(
    contrasts: Sequence[tuple[tuple[Arm, float], ...]],
    strata: Sequence[Stratum],
    cubes: Mapping[tuple[Arm, str], Floats],
    evidence: Evidence,
) -> tuple[Floats, Floats]:
    """(seeds, disciplines, contrasts) means over items, (disciplines, contrasts) item noise.

    Tasks weigh equally inside their discipline. An item that one arm of a contrast lacks is left
    out of it. Noise: of one seed's mean, from the residual of seeds and items.
    """
    names = tuple(dict.fromkeys(s.discipline for s in strata))
    n_seeds = next(iter(cubes.values())).shape[0]
    values = np.zeros((n_seeds, len(names), len(contrasts)))
    noise = np.zeros((len(names), len(contrasts)))
    for s in strata:
        d = names.index(s.discipline)
        weight = 1 / sum(other.discipline == s.discipline for other in strata)
        labels = evidence.scores.clusters(s.task)
        for j, contrast in enumerate(contrasts):
            cube = np.sum([w * cubes[a, s.task] for a, w in contrast], axis=0)
            if np.isnan(cube).all(axis=1).any():
                raise InputError(f"a seed has no scored item of {s.task} in all arms compared")
            values[:, d, j] += weight * np.nanmean(cube, axis=1)
            noise[d, j] += weight**2 * n_seeds * float(item_terms(cube, labels)[1])
    return values, noise


@estimate.register
def _rank_correlation(estimand: RankCorrelation, evidence: Evidence) -> Finding:
    gap = estimand.x == PARENT_GAP
    named = [a for group in estimand.groups for a in group]
    y, n_seeds, notes = _means(named, estimand.y, evidence, _odd if gap else None)
    # One column of arms a design point.
    columns = list(zip(*estimand.groups, strict=True))
    values: list[Any]
    if estimand.x == DIVERSITY:
        values = [
            _shared([_of_run(a, DISTINCT, "n-gram diversity", evidence) for a in column], evidence)
            for column in columns
        ]
    elif estimand.x == DIVERGENCE:
        # Of the runs whose scores are read.
        seeds, _ = evidence.common_seeds(named, (s.task for s in evidence.strata(estimand.y)))
        values = [
            [_of_run(a, DIVERGENCE, "divergence", evidence, seeds) for a in group]
            for group in estimand.groups
        ]
    elif gap:
        parents = dict.fromkeys(p for a in named for p in a.parents)
        level, _, more = _means(parents, estimand.y, evidence, lambda item: not _odd(item))
        notes = tuple(dict.fromkeys((*notes, *more)))
        values = [
            [abs(level[a.parents[0]] - level[a.parents[1]]) for a in group]
            for group in estimand.groups
        ]
    else:
        x, _, more = _means(estimand.arms, estimand.x, evidence)
        notes = tuple(dict.fromkeys((*notes, *more)))
        values = [float(np.mean([x[a] for a in column])) for column in columns]
    # Equal accuracies must tie, whatever the order they were summed in.
    points = np.round(values, TIE)
    scores = [[round(y[a], TIE) for a in group] for group in estimand.groups]
    unknown = [a.name for a in named if math.isnan(y[a])]
    if unknown or np.isnan(points).any():
        where = f"arm {unknown[0]}" if unknown else "a parent"
        half = "no scored item in its half" if gap else "no scored item"
        why = f"{where} has {half} of a discipline with some seed; score more items"
        return _undefined(n_seeds, "rank correlation", notes, why)
    tied = any(np.ptp(group) == 0 for group in np.atleast_2d(points))
    if tied or any(len(set(group)) == 1 for group in scores):
        what = "the design points" if tied else "the scores of a group"
        why = f"{what} are all equal, and a constant has no ranks; vary them or score more items"
        return _undefined(n_seeds, "rank correlation", notes, why)
    with evidence.named():
        result = spearman(points, scores, evidence.generator())
    notes = (*notes, f"{len(columns)} design points are the units; seeds only sharpen their means")
    found = dataclasses.replace(result, n_seeds=n_seeds)
    return Finding(estimate=found, unit="rank correlation", notes=notes)


def _means(
    arms: Iterable[Arm],
    target: Target,
    evidence: Evidence,
    items: Callable[[str], bool] | None = None,
) -> tuple[dict[Arm, float], int, tuple[str, ...]]:
    """Mean score of each arm over seeds and disciplines, and the number of seeds."""
    levels, _, notes = evidence.levels(arms, target, items)
    n_seeds = min(len(v) for v in levels.values())
    return {a: float(v.mean()) for a, v in levels.items()}, n_seeds, notes


def _odd(item: str) -> bool:
    """Which half of the items, or clusters of them, one belongs to, whatever its task."""
    return bool(hashlib.sha256(item.encode()).digest()[0] & 1)


def _of_run(
    arm: Arm, metric: str, title: str, evidence: Evidence, among: Iterable[int] | None = None
) -> float:
    """A number of an arm's training mixture, its mean over seeds. among: None for all."""
    scores = evidence.scores
    tasks = [t for t, found in scores.measured if found == metric]
    wanted = None if among is None else set(among)
    seeds = {
        t: tuple(s for s in scores.seeds(arm.name, t, metric) if wanted is None or s in wanted)
        for t in tasks
    }
    values = [scores.cube(arm.name, t, s, metric) for t, s in seeds.items() if s]
    if not values:
        raise MissingScoresError(
            f"{evidence.what} needs the {title} of arm {arm.name!r} (metric {metric!r}), found "
            f"none; {evidence.how}"
        )
    return float(np.mean([v.mean() for v in values]))


def _shared(values: list[float], evidence: Evidence) -> float:
    """The diversity of one mixture; methods that share a mixture must agree on it."""
    if max(values) - min(values) > 1e-9:
        raise InputError(
            f"{evidence.what}: arms of one mixture differ in n-gram diversity "
            f"({min(values):.6g} to {max(values):.6g}); collect the scores again"
        )
    return values[0]
