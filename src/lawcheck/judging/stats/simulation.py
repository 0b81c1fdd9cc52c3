"""Crossed seed x item data with a known truth, to check the tests of a law against."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DISCIPLINES = 5
CHANCE = 0.25


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One simulated design. Arms are alike but for their effects.

    items: per discipline, or one number for each. levels: ranges of the items' chances of a right
    answer; every item draws one of them. seed_sd: SD over seeds of one arm's five-discipline
    average, in points; half of its variance is common to the disciplines. correlation: of that
    effect between arms of one seed. item_sd: SD of an arm's own item effects, in points: what
    makes a fresh draw of items change a contrast. tails: `normal` or `t3` (three degrees of
    freedom, same SD). collapse: probability that a run falls to chance.
    """

    seeds: int = 5
    items: int | tuple[int, ...] = 500
    levels: tuple[tuple[float, float], ...] = ((0.25, 0.85),)
    seed_sd: float = 1.0
    correlation: float = 0.4
    item_sd: float = 5.0
    tails: str = "normal"
    collapse: float = 0.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Items of each discipline."""
        return (self.items,) * DISCIPLINES if isinstance(self.items, int) else self.items

    def with_item_variance(self, ratio: float) -> Cell:
        """The cell whose item term is about `ratio` times the seeds' term of the squared error."""
        per_item = sum(1 / i for i in self.sizes) / DISCIPLINES**2
        answers = np.mean([(a + b) / 2 - (a * a + a * b + b * b) / 3 for a, b in self.levels])
        seeds = 2 * ((self.seed_sd / 100) ** 2 * (1 - self.correlation) + answers * per_item)
        item = ratio * seeds / self.seeds / 2 / per_item
        return dataclasses.replace(self, item_sd=100 * float(np.sqrt(item)))


def simulate(
    cell: Cell, effects: Sequence[float], n: int, rng: np.random.Generator
) -> list[list[NDArray[np.int8]]]:
    """Correctness per arm and discipline: arrays (n, seeds, items) of 0 and 1.

    effects: each arm's shift in points; the true contrast of two arms is the difference of
    their effects (times 1 - collapse).
    """
    s, d, arms = cell.seeds, len(cell.sizes), len(effects)
    low, high = np.array(cell.levels, dtype=np.float64).T
    sd = cell.seed_sd / 100
    # Var(common + mean of d specific) = sd**2, halves of it from each.
    common = _paired(cell, (arms, n, s, 1), rng) * sd * np.sqrt(0.5)
    specific = _paired(cell, (arms, n, s, d), rng) * sd * np.sqrt(0.5 * d)
    shift = common + specific + np.asarray(effects).reshape(-1, 1, 1, 1) / 100
    fallen = rng.random((arms, n, s, 1), dtype=np.float32) < cell.collapse
    found: list[list[NDArray[np.int8]]] = [[] for _ in range(arms)]
    for k in range(d):
        shape = (n, 1, cell.sizes[k])
        # The default levels stay clear of 0 and 1, so that effects add up in points.
        one = rng.integers(low.size, size=shape) if low.size > 1 else np.zeros(shape, dtype=int)
        level = rng.uniform(low[one], high[one]).astype(np.float32)
        for a in range(arms):
            own = np.float32(cell.item_sd / 100) * rng.standard_normal(shape, dtype=np.float32)
            p = level + own + shift[a, :, :, k, None].astype(np.float32)
            if cell.collapse:
                p = np.where(fallen[a], np.float32(CHANCE), p)
            found[a].append((rng.random(p.shape, dtype=np.float32) < p).astype(np.int8))
    return found


def contrast(
    treatment: Sequence[NDArray[np.int8]], control: Sequence[NDArray[np.int8]]
) -> list[NDArray[np.float64]]:
    """Differences of correctness per discipline, as `two_way_batch` takes them."""
    return [np.subtract(a, b, dtype=np.float64) for a, b in zip(treatment, control, strict=True)]


def _paired(cell: Cell, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Unit-variance effects, correlated over the first axis (arms)."""

    def draw(size: tuple[int, ...]) -> NDArray[np.float64]:
        if cell.tails == "t3":
            return rng.standard_t(3, size) / np.sqrt(3)
        return rng.standard_normal(size)

    shared, own = draw((1, *shape[1:])), draw(shape)
    return np.sqrt(cell.correlation) * shared + np.sqrt(1 - cell.correlation) * own
