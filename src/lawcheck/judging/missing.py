"""What unscored items could do to a contrast: bounds, and where a result would tip.

Unscored items leave every mean, as if they were like the scored ones. If an arm's wrong answers
are those that go unscored, it gains by that. The bounds assume nothing: every unscored item was
right, or every one was wrong (Manski 2003, Partial Identification of Probability Distributions).
Between them lies the tipping point (Yan, Lee and Li 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Weights
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.stats import Estimate, no_gain, tost, two_way

Floats = NDArray[np.float64]
# Bisection steps to the tipping point: to a thousandth of the way.
STEPS = 10


@dataclass(frozen=True, kw_only=True)
class ArmGaps:
    """Unscored cells (seed, item) of one arm in a contrast.

    accuracy: of the scored cells, in [0, 1]; NaN where there is none. helps: whether right
    answers of this arm raise the contrast.
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
    """A contrast whose unscored cells are filled in.

    alike, lowest, highest: per stratum (n_units, n_items), the unscored cells of every arm at the
    accuracy of its scored ones, or at the value that makes the contrast least or largest.
    """

    arms: tuple[ArmGaps, ...]
    alike: tuple[Floats, ...]
    lowest: tuple[Floats, ...]
    highest: tuple[Floats, ...]
    weights: tuple[float, ...]
    clusters: tuple[list[str] | None, ...]

    @property
    def bounds(self) -> tuple[Estimate, Estimate]:
        """Estimates in points at both worst cases, the lower one first."""
        return self.at(-1.0), self.at(1.0)

    def at(self, way: float) -> Estimate:
        """The estimate with unscored cells that far on the way to the lowest (-1), highest (1)."""
        worst = self.highest if way > 0 else self.lowest
        cubes = [a + abs(way) * (w - a) for a, w in zip(self.alike, worst, strict=True)]
        return two_way(cubes, self.weights, self.clusters)

    def tips(self, alternative: str, alpha: float, margin: float | None = None) -> bool:
        """Whether unscored items could take away that the alternative is shown at alpha."""
        low, high = self.bounds
        return not (
            _shown(low, alternative, alpha, margin) and _shown(high, alternative, alpha, margin)
        )

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


def missing(weights: Weights, target: str, evidence: Evidence) -> Missing | None:
    """The unscored cells of a contrast, filled in; None where every cell is scored.

    Raises as `Evidence.differences` does. Item values are in [0, 1].
    """
    strata = evidence.strata(target)
    seeds, _ = evidence.common_seeds((a for a, _ in weights), (s.task for s in strata))
    cubes = {
        (a, s.task): evidence.scores.cube(a.name, s.task, seeds) for a, _ in weights for s in strata
    }
    if not any(np.isnan(cube).any() for cube in cubes.values()):
        return None
    tallies = {a: np.zeros(3) for a, _ in weights}
    filled: tuple[list[Floats], ...] = ([], [], [])
    for stratum in strata:
        totals = [np.zeros(()) for _ in filled]
        for a, w in weights:
            cube = cubes[a, stratum.task]
            blank = np.isnan(cube)
            known = np.where(blank, 0.0, cube)
            tallies[a] += (blank.sum(), cube.size, known.sum())
            for k, value in enumerate(_fillings(known, blank, w > 0)):
                totals[k] = totals[k] + w * value
        for k, total in enumerate(totals):
            filled[k].append(evidence.by_base(total, seeds)[0])
    alike, lowest, highest = (tuple(cubes) for cubes in filled)
    return Missing(
        arms=tuple(_arm_gaps(a.name, tallies[a], w > 0) for a, w in weights if tallies[a][0]),
        alike=alike,
        lowest=lowest,
        highest=highest,
        weights=tuple(s.weight for s in strata),
        clusters=tuple(evidence.scores.clusters(s.task) for s in strata),
    )


def _fillings(known: Floats, blank: NDArray[np.bool_], helps: bool) -> tuple[Floats, ...]:
    """One arm's cube with its unscored cells at their seed's accuracy, at worst and at best."""
    count = (~blank).sum(axis=1, keepdims=True)
    # A seed without any scored item says nothing; halfway between the bounds.
    mean = np.where(count > 0, known.sum(axis=1, keepdims=True) / np.maximum(count, 1), 0.5)
    right = np.where(blank, 1.0, known)
    return np.where(blank, mean, known), *((known, right) if helps else (right, known))


def _arm_gaps(name: str, tally: Floats, helps: bool) -> ArmGaps:
    n_unscored, n_cells, total = tally
    scored = n_cells - n_unscored
    return ArmGaps(
        arm=name,
        n_unscored=int(n_unscored),
        n_cells=int(n_cells),
        accuracy=float(total / scored) if scored else float("nan"),
        helps=helps,
    )


def _shown(value: Estimate, alternative: str, alpha: float, margin: float | None) -> bool:
    p = None
    if alternative == "greater":
        p = value.p_above(0.0)
    elif alternative == "less":
        p = value.p_below(0.0)
    elif margin is not None:
        p = no_gain(value, margin) if alternative == "no_gain" else tost(value, margin)
    return p is not None and p <= alpha
