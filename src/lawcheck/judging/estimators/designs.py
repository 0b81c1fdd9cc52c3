"""Estimands over whole designs: roughness of data curves, spread over seeds, rank correlation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm
from lawcheck.declare.estimands import DIVERSITY, Curve, RankCorrelation, RoughnessRatio, SeedSpread
from lawcheck.errors import InputError, nearest
from lawcheck.judging.estimators.finding import Finding, estimate
from lawcheck.judging.evidence import Evidence, MissingScoresError
from lawcheck.judging.stats import log_variance_ratio, paired_t, roughness, spearman
from lawcheck.scores import DISTINCT

Floats = NDArray[np.float64]
Levels = dict[Arm, Floats]
# Decimals of a score in points; one item of a million moves the fourth.
TIE = 9


@estimate.register
def _roughness(estimand: RoughnessRatio, evidence: Evidence) -> Finding:
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
    if not all((v > 0).all() for side in variances for v in side):
        raise InputError(
            f"{evidence.what}: a curve of scores lies exactly on its line, its roughness has no "
            f"logarithm; score more items"
        )
    top, bottom = (np.mean(np.log(side), axis=0) for side in variances)
    with evidence.named():
        result = paired_t(0.5 * (top - bottom))
    return Finding(estimate=result, unit="log ratio of SDs", notes=notes)


def _residual_variance(levels: Levels, curve: Curve, columns: list[int]) -> Floats:
    """Mean over disciplines of the residual variance of one curve; (n_seeds,)."""
    values = np.stack([levels[a][:, columns] for a in curve], axis=-1)
    fractions = [a.recipe.fraction for a in curve if a.recipe is not None]
    return np.asarray((roughness(fractions, values) ** 2).mean(axis=1))


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
    levels, _, notes = evidence.levels(estimand.arms)
    multi, single = (
        np.stack([levels[a] for a in side]) for side in (estimand.treatments, estimand.controls)
    )
    with evidence.named():
        result = log_variance_ratio(multi, single)
    if result.n_unscored:
        notes = (*notes, f"{result.n_unscored} disciplines left out: no variation over seeds")
    return Finding(estimate=result, unit="log ratio of variances", notes=notes)


@estimate.register
def _rank_correlation(estimand: RankCorrelation, evidence: Evidence) -> Finding:
    y, n_seeds, notes = _means(estimand.arms, estimand.y, evidence)
    # One column of arms a design point.
    columns = list(zip(*estimand.groups, strict=True))
    if estimand.x == DIVERSITY:
        values = [
            _shared([_diversity(a, evidence) for a in column], evidence) for column in columns
        ]
    else:
        x, _, more = _means(estimand.arms, estimand.x, evidence)
        notes = tuple(dict.fromkeys((*notes, *more)))
        values = [float(np.mean([x[a] for a in column])) for column in columns]
    # Equal accuracies must tie, whatever the order they were summed in.
    points = [round(v, TIE) for v in values]
    scores = [[round(y[a], TIE) for a in group] for group in estimand.groups]
    with evidence.named():
        result = spearman(points, scores, evidence.generator())
    notes = (*notes, f"{len(points)} design points are the units; seeds only sharpen their means")
    found = dataclasses.replace(result, n_seeds=n_seeds)
    return Finding(estimate=found, unit="rank correlation", notes=notes)


def _means(
    arms: Iterable[Arm], target: str, evidence: Evidence
) -> tuple[dict[Arm, float], int, tuple[str, ...]]:
    """Mean score of each arm over seeds and disciplines, and the number of seeds."""
    levels, _, notes = evidence.levels(arms, target)
    n_seeds = min(len(v) for v in levels.values())
    return {a: float(v.mean()) for a, v in levels.items()}, n_seeds, notes


def _diversity(arm: Arm, evidence: Evidence) -> float:
    """Share of distinct n-grams of an arm's training mixture."""
    scores = evidence.scores
    tasks = [t for t, metric in scores.measured if metric == DISTINCT]
    seeds = {t: scores.seeds(arm.name, t, DISTINCT) for t in tasks}
    values = [scores.cube(arm.name, t, s, DISTINCT) for t, s in seeds.items() if s]
    if not values:
        raise MissingScoresError(
            f"{evidence.what} needs the n-gram diversity of arm {arm.name!r} (metric "
            f"{DISTINCT!r}), found none; {evidence.how}"
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
