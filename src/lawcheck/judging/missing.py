"""What unscored items could do to a contrast: bounds, and where a result would tip.

Unscored items leave every mean, as if they were like the scored ones. If an arm's wrong answers
are those that go unscored, it gains by that. The bounds assume nothing: every unscored item was
right, or every one was wrong (Manski 2003, Partial Identification of Probability Distributions).
Between them lies the tipping point (Yan, Lee and Li 2009).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import (
    AVERAGE,
    Arm,
    Contrast,
    Estimand,
    Measure,
    RelativeGain,
    Target,
)
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.metrics import ACCURACY, unbounded
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.stats import Estimate, no_gain, tost
from lawcheck.scores import ScoreTable

# Bisection steps to the tipping point: to a thousandth of the way.
STEPS = 10


@dataclass(frozen=True, kw_only=True)
class ArmGaps:
    """Unscored cells (seed, item) of one arm.

    accuracy: of the scored cells, in [0, 1]; NaN where there is none. helps: whether right
    answers of this arm raise the estimand.
    """

    arm: str
    n_unscored: int
    n_cells: int
    accuracy: float
    helps: bool

    @property
    def rate(self) -> float:
        return self.n_unscored / self.n_cells


@dataclass(frozen=True, kw_only=True)
class Tipping:
    """How unlike the scored answers the unscored ones must be for a result to be lost.

    way: share of the way from "as accurate as the scored ones" (0) to the worst case (1).
    accuracies: (arm, accuracy of its unscored items at that point).
    """

    way: float
    accuracies: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """An estimand with unscored items. arms: those that have them."""

    arms: tuple[ArmGaps, ...]
    estimand: Estimand
    evidence: Evidence

    @property
    def bounds(self) -> tuple[Estimate, Estimate]:
        """Estimates at both worst cases, the lower one first."""
        return self.at(-1.0), self.at(1.0)

    def at(self, way: float) -> Estimate:
        """The estimate with unscored items that far on the way to the lowest (-1), highest (1).

        At 0 they are as accurate as the scored items of their run and task.
        """
        goals = {a.arm: float(a.helps == (way > 0)) for a in self.arms}
        scores = cast(ScoreTable, _Filled(self.evidence.scores, goals, abs(way)))
        return estimate(self.estimand, dataclasses.replace(self.evidence, scores=scores)).estimate

    def tips(self, alternative: str, alpha: float, margin: float | None = None) -> bool:
        """Whether unscored items could take away that the alternative is shown at alpha."""
        return not all(_shown(e, alternative, alpha, margin) for e in self.bounds)

    def tipping(
        self, alternative: str, alpha: float, margin: float | None = None
    ) -> Tipping | None:
        """The nearest point at which the alternative is no longer shown; None where none is."""
        found = []
        for side in (-1.0, 1.0):
            if _shown(self.at(side), alternative, alpha, margin):
                continue
            low, high = 0.0, 1.0
            for _ in range(STEPS):
                middle = (low + high) / 2
                if _shown(self.at(side * middle), alternative, alpha, margin):
                    low = middle
                else:
                    high = middle
            found.append((high, side))
        if not found:
            return None
        way, side = min(found)
        accuracies = []
        for a in self.arms:
            goal = float(a.helps == (side > 0))
            start = a.accuracy if np.isfinite(a.accuracy) else 0.5
            accuracies.append((a.arm, start + way * (goal - start)))
        return Tipping(way=way, accuracies=tuple(accuracies))


def missing(estimand: Estimand, evidence: Evidence) -> Missing | None:
    """The unscored items of a sum over items or a relative gain; None where every item is scored.

    None also for other estimands: they need not rise or fall with an arm's accuracy, so that the
    worst case is no corner; and for metrics without a worst value. Item values are in [0, 1].
    Raises as the estimator does.
    """
    helps = _directions(estimand)
    if helps is None:
        return None
    parts, metric = _parts(estimand)
    strata = [evidence.strata(target, metric) for _, target in parts]
    of = None if metric == ACCURACY else metric
    seeds, _ = evidence.common_seeds(helps, (s.task for each in strata for s in each), of)
    arms = []
    for arm, up in helps.items():
        read = [each for (named, _), each in zip(parts, strata, strict=True) if arm in named]
        tasks = dict.fromkeys(s.task for each in read for s in each)
        cubes = [evidence.scores.cube(arm.name, task, seeds, of) for task in tasks]
        blank = sum(int(np.isnan(c).sum()) for c in cubes)
        if blank:
            cells = sum(c.size for c in cubes)
            total = sum(float(np.nansum(c)) for c in cubes)
            accuracy = total / (cells - blank) if cells > blank else float("nan")
            gaps = ArmGaps(
                arm=arm.name, n_unscored=blank, n_cells=cells, accuracy=accuracy, helps=up
            )
            arms.append(gaps)
    return Missing(arms=tuple(arms), estimand=estimand, evidence=evidence) if arms else None


def endless(estimand: Estimand) -> bool:
    """Whether an unscored item could move a sum over items without limit."""
    return _over_items(estimand) and unbounded(estimand.metric)


def _over_items(estimand: Estimand) -> TypeGuard[Contrast | Pooled | Measure]:
    """Whether it is a weighted sum of item scores."""
    level = isinstance(estimand, Measure) and estimand.of_items
    return level or isinstance(estimand, Contrast | Pooled)


def _parts(estimand: Estimand) -> tuple[list[tuple[tuple[Arm, ...], Target]], str]:
    """The arms that each target is read of, and the metric."""
    if isinstance(estimand, Pooled):
        return [(c.arms, c.target) for c in estimand.parts], estimand.metric
    if isinstance(estimand, Contrast | Measure):
        return [(estimand.arms, estimand.target)], estimand.metric
    return [(estimand.arms, AVERAGE)], ACCURACY


def _directions(estimand: Estimand) -> dict[Arm, bool] | None:
    """Whether the estimand rises with each arm's accuracy."""
    if isinstance(estimand, RelativeGain):
        return {estimand.arm: True, estimand.reference: False}
    if not _over_items(estimand) or unbounded(estimand.metric):
        return None
    helps: dict[Arm, bool] = {}
    for a, w in estimand.weights:
        # On one target it may help and on another harm: then no corner is the worst.
        if helps.setdefault(a, w > 0) != (w > 0):
            return None
    return helps


class _Filled:
    """A score table whose unscored items of some arms have a value.

    goals: arm -> value of the worst case. way: how far from the scored accuracy to there.
    """

    def __init__(self, scores: ScoreTable, goals: Mapping[str, float], way: float) -> None:
        self._scores, self._goals, self._way = scores, goals, way

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scores, name)

    def cube(
        self, arm: str, task: str, seeds: Sequence[int], metric: str | None = None
    ) -> NDArray[np.float64]:
        given = self._scores.cube(arm, task, seeds, metric)
        blank = np.isnan(given)
        if arm not in self._goals or not blank.any():
            return given
        count = (~blank).sum(axis=1, keepdims=True)
        total = np.where(blank, 0.0, given).sum(axis=1, keepdims=True)
        # A seed without any scored item says nothing; halfway between the bounds.
        alike = np.where(count > 0, total / np.maximum(count, 1), 0.5)
        return np.where(blank, alike + self._way * (self._goals[arm] - alike), given)


def _shown(value: Estimate, alternative: str, alpha: float, margin: float | None) -> bool:
    p = None
    if alternative == "greater":
        p = value.p_above(0.0)
    elif alternative == "less":
        p = value.p_below(0.0)
    elif margin is not None:
        p = no_gain(value, margin) if alternative == "no_gain" else tost(value, margin)
    return p is not None and p <= alpha
