"""Estimands over levels of arms: contrasts, routers, relative gains, planned costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from lawcheck.declare.design import (
    Arm,
    Contrast,
    Cost,
    Measure,
    RelativeGain,
    RouterInformation,
)
from lawcheck.declare.estimands import Control, Pooled
from lawcheck.errors import InputError, nearest
from lawcheck.judging.estimators.finding import Finding, estimate, over_seeds
from lawcheck.judging.evidence import Evidence, MissingScoresError
from lawcheck.judging.stats import Estimate, router_information
from lawcheck.scores import ROUTING


@estimate.register
def _contrast(estimand: Contrast, evidence: Evidence) -> Finding:
    value, notes = evidence.combination(estimand.weights, estimand.target, estimand.metric)
    return Finding(estimate=value, unit=estimand.unit, notes=notes)


@estimate.register
def _pooled(estimand: Pooled, evidence: Evidence) -> Finding:
    value, notes = evidence.estimated(evidence.differences_of(estimand), estimand.metric)
    return Finding(estimate=value, unit=estimand.unit, notes=notes)


@estimate.register
def _router(estimand: RouterInformation, evidence: Evidence) -> Finding:
    scores = evidence.scores
    tasks = [s for s in evidence.strata("average") if (s.task, ROUTING) in scores.measured]
    if not tasks:
        raise MissingScoresError(
            f"{evidence.what} needs routing probabilities (metric {ROUTING!r}), found none; "
            f"{evidence.how}"
        )
    names = [s.task for s in tasks]
    disciplines = sorted({s.discipline for s in tasks})

    def of_runs(arm: Arm, seeds: tuple[int, ...]) -> np.ndarray:
        if len({tuple(scores.items(arm.name, t, ROUTING)) for t in names}) != 1:
            raise InputError(
                f"{evidence.what}: arm {arm.name!r} has different experts from task to task; "
                f"evaluate it again"
            )
        by_task = {t: scores.cube(arm.name, t, seeds, ROUTING) for t in names}
        # (disciplines, seeds, experts); tasks weigh equally inside a discipline.
        routing = np.stack(
            [
                np.mean([by_task[s.task] for s in tasks if s.discipline == d], axis=0)
                for d in disciplines
            ]
        )
        return np.array([router_information(routing[:, k]) for k in range(len(seeds))])

    per_seed, seeds, notes = _runs(estimand, evidence, names, ROUTING, of_runs)
    per_seed -= estimand.against
    return over_seeds(per_seed, seeds, evidence, "share of maximum information", notes)


def _runs(
    estimand: Measure | RouterInformation,
    evidence: Evidence,
    tasks: Sequence[str],
    metric: str,
    of_runs: Callable[[Arm, tuple[int, ...]], np.ndarray],
) -> tuple[np.ndarray, tuple[int, ...], tuple[str, ...]]:
    """The weighted sum of a number that every run has: of each seed, the seeds, notes."""
    seeds, notes = evidence.common_seeds(estimand.arms, tasks, metric)
    per_seed = np.zeros(len(seeds))
    for arm, weight in estimand.weights:
        per_seed += weight * of_runs(arm, seeds)
    return per_seed, seeds, notes


@estimate.register
def _measure(estimand: Measure, evidence: Evidence) -> Finding:
    scores, metric, task = evidence.scores, estimand.metric, estimand.target
    if estimand.of_items:
        value, notes = evidence.combination(estimand.weights, task, metric)
        less = dataclasses.replace(value, value=value.value - estimand.against)
        return Finding(estimate=less, unit=estimand.unit, notes=notes)
    assert isinstance(task, str)
    if (task, metric) not in scores.measured:
        raise MissingScoresError(
            f"{evidence.what} needs metric {metric!r} of {task!r}, found none; {evidence.how}"
        )

    def of_runs(arm: Arm, seeds: tuple[int, ...]) -> np.ndarray:
        values: np.ndarray = scores.cube(arm.name, task, seeds, metric).mean(axis=1)
        if estimand.counted and np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max())):
            raise InputError(
                f"{evidence.what}: {metric!r} of arm {arm.name!r} differs between seeds, declared "
                f"as counted; collect the scores again"
            )
        return values

    per_seed, seeds, notes = _runs(estimand, evidence, (task,), metric, of_runs)
    per_seed -= estimand.against
    if estimand.counted:
        counted = Estimate(value=float(per_seed[0]), se=None, df=None, n_seeds=len(seeds))
        return Finding(estimate=counted, unit=metric, notes=notes, exact=True)
    return over_seeds(per_seed, seeds, evidence, metric, notes)


@estimate.register
def _relative_gain(estimand: RelativeGain, evidence: Evidence) -> Finding:
    strata = evidence.strata("average")
    arms = (estimand.arm, estimand.reference)
    seeds, notes = evidence.common_seeds(arms, (s.task for s in strata))
    level: dict[Arm, dict[str, list[np.ndarray]]] = {a: {} for a in arms}
    n_items = n_unscored = 0
    for s in strata:
        mine, theirs = (evidence.scores.cube(a.name, s.task, seeds) for a in arms)
        blank = np.isnan(mine) | np.isnan(theirs)
        n_items += mine.shape[1]
        n_unscored += int(blank.sum())
        for a, cube in zip(arms, (mine, theirs), strict=True):
            # Both arms on the same items: a gap in one is a gap in the other.
            count = (~blank).sum(axis=1)
            total = np.where(blank, 0.0, cube).sum(axis=1)
            mean = np.divide(total, count, out=np.full(len(seeds), np.nan), where=count > 0)
            level[a].setdefault(s.discipline, []).append(mean)
    changes = []
    for d in level[estimand.arm]:
        mine, theirs = (np.mean(level[a][d], axis=0) for a in arms)
        if (theirs == 0).any():
            k = int(np.argmax(theirs == 0))
            why = (
                f"no estimate: reference {estimand.reference.name} scores 0 on {d} with seed "
                f"{seeds[k]}, a relative change is undefined"
            )
            nothing = Estimate(value=math.nan, se=None, df=None, n_seeds=len(seeds))
            return Finding(estimate=nothing, unit="percent", notes=(*notes, why))
        changes.append(100 * (mine / theirs - 1))
    per_seed = np.mean(changes, axis=0)
    notes = (*evidence.gaps("average"), *notes)
    return over_seeds(per_seed, seeds, evidence, "percent", notes, n_items, n_unscored)


@estimate.register
def _cost(estimand: Cost, evidence: Evidence) -> Finding:
    if evidence.cost is None:
        raise InputError(f"{evidence.what} needs planned costs, found none; judge with a scale")
    changes = {}
    for quantity in estimand.quantities:
        mine, theirs = (
            evidence.cost(a, quantity, estimand.scale) for a in (estimand.arm, estimand.reference)
        )
        if not theirs > 0:
            raise InputError(
                f"{evidence.what}: planned {quantity} of {estimand.reference.name!r} is "
                f"{theirs:g}, expected above 0; check the scale {estimand.scale!r}"
            )
        changes[quantity] = 100 * (mine / theirs - 1)
    binding = max(changes, key=lambda q: changes[q])
    each = ", ".join(f"{q} {c:+.4g} %" for q, c in changes.items())
    return Finding(
        estimate=Estimate(value=changes[binding], se=None, df=None, n_seeds=0),
        unit="percent",
        notes=(f"planned at scale {estimand.scale}: {each}; {binding} binds",),
        exact=True,
    )


@estimate.register
def _control(estimand: Control, evidence: Evidence) -> Finding:
    if evidence.controls is None:
        raise MissingScoresError(
            "no controls were judged at this scale; run: snakemake --profile local controls"
        )
    if estimand.name not in evidence.controls:
        raise MissingScoresError(
            f"this scale has no control {estimand.name!r}; "
            f"{nearest(estimand.name, evidence.controls)}"
        )
    passed = float(evidence.controls[estimand.name])
    counted = Estimate(value=passed, se=None, df=None, n_seeds=0)
    return Finding(estimate=counted, unit="control passed", exact=True)
