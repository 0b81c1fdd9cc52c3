"""Several looks at growing data: one nominal level a look that keeps the level over all of them.

Group-sequential testing (Jennison and Turnbull 2000, chapters 2 and 19): the statistics of looks at
information fractions t_1 < ... < t_K are jointly normal with correlation sqrt(t_i / t_j). Equal
levels at every look (Pocock 1977) are found so that the chance of any rejection is alpha; they are
read as p values of t tests (the significance level approach), which docs/calibration.md checks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from lawcheck.errors import InputError
from lawcheck.judging.stats.roots import brentq

# Points of the numerical integration between -REACH and a boundary: errors below 1e-6.
POINTS, REACH = 160, 8.0


@dataclass(frozen=True)
class Looks:
    """fractions: information at each planned look over that of the last one, ascending, the last 1.

    unplanned: levels of looks that were taken before others were planned; they are spent as they
    were. Judging is at the last look.
    """

    fractions: tuple[float, ...] = (1.0,)
    unplanned: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        given = self.fractions
        rising = all(a < b for a, b in zip((0.0, *given), given, strict=False))
        if not given or given[-1] != 1 or not rising:
            raise InputError(
                f"looks: fractions {', '.join(f'{t:g}' for t in given)}, expected them to rise to "
                f"1, such as 0.6, 1 for 3 seeds and then 5; correct them"
            )
        if len(self.unplanned) >= len(given) or not all(0 < a < 0.5 for a in self.unplanned):
            raise InputError(
                f"looks: {len(self.unplanned)} unplanned levels of {len(given)} looks, expected "
                f"fewer, each in (0, 0.5); correct them"
            )

    @classmethod
    def planned(cls, count: int) -> Looks:
        """Equally spaced looks."""
        if type(count) is not int or count < 1:
            raise InputError(f"looks: found {str(count)[:20]!r}, expected a count from 1; give one")
        return cls(tuple((k + 1) / count for k in range(count)))

    def level(self, alpha: float) -> float:
        """One-sided level of a test at each planned look."""
        return nominal_level(alpha, self.fractions)

    def total(self, alpha: float) -> float:
        """Chance that any look rejects where nothing is there; alpha where all were planned."""
        rest = len(self.fractions) - len(self.unplanned)
        return overall_level((*self.unplanned, *[self.level(alpha)] * rest), self.fractions)

    def note(self, alpha: float) -> str:
        """What the verdict says of them; empty for a single look."""
        if len(self.fractions) == 1:
            return ""
        said = (
            f"{len(self.fractions)} looks: parts declared at {alpha:g} are tested at "
            f"{self.level(alpha):.3g}"
        )
        if not self.unplanned:
            return f"{said}, which keeps {alpha:g} over all looks"
        spent = ", ".join(f"{a:g}" for a in self.unplanned)
        return (
            f"{said}; {spent} was spent on looks before these were planned, so the level over all "
            f"is {self.total(alpha):.3g}"
        )


@functools.cache
def nominal_level(alpha: float, fractions: tuple[float, ...]) -> float:
    """The level of each look with which any of them rejects with probability alpha."""
    if len(fractions) == 1:
        return alpha

    def excess(log_level: float) -> float:
        return overall_level([math.exp(log_level)] * len(fractions), fractions) - alpha

    low, high = math.log(alpha / len(fractions)), math.log(alpha)
    return math.exp(brentq(excess, low, high, xtol=1e-10))


def overall_level(levels: Sequence[float], fractions: Sequence[float]) -> float:
    """Chance that a look rejects at its level where nothing is there.

    Armitage, McPherson and Rowe's (1969) recursion: the density of the Brownian motion that has
    crossed no boundary yet, carried from look to look.
    """
    bounds = [
        -float(special.ndtri(a)) * math.sqrt(t) for a, t in zip(levels, fractions, strict=True)
    ]
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    kept = 1.0
    points = np.zeros(1)
    density = np.ones(1)
    before = 0.0
    for bound, now in zip(bounds, fractions, strict=True):
        step = math.sqrt(now - before)
        low = -REACH * math.sqrt(now)
        x = 0.5 * (bound - low) * nodes + 0.5 * (bound + low)
        z = (x[:, None] - points[None, :]) / step
        moved = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / step @ density
        # The mass that stays below the bound, from the exact transition: no grid for it.
        kept = float(special.ndtr((bound - points) / step) @ density)
        points, density = x, moved * weights * 0.5 * (bound - low)
        before = now
    return 1.0 - kept
