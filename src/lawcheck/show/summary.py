"""Mean and 95 % interval of every arm, each computed once and shared by tables and figures.

The estimates are those of the judge (lawcheck.judging.evidence, .estimators), so that a table never
disagrees with a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm, Discipline, RelativeGain, Target
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence, MissingScoresError, Stratum
from lawcheck.judging.stats import Estimate, paired_t, router_information
from lawcheck.scores import DISTINCT, ROUTING, ScoreTable, task_places

Floats = NDArray[np.float64]
# Two-sided 95 %.
ALPHA = 0.025

CROSSED = "crossed seeds and items"
ITEMS_ONLY = "items only, one seed"
SEEDS_ONLY = "seeds only, these items"
SEEDS = "seeds only"
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A mean with its 95 % interval, in the unit of its column.

    low, high: None where nothing varies or nothing can be estimated. interval: what the interval
    covers, in words. n_items: over all tasks. n_unscored: (seed, item) cells without a value.
    """

    value: float
    low: float | None
    high: float | None
    interval: str
    n_seeds: int
    n_items: int
    n_unscored: int

    @property
    def half(self) -> float | None:
        """Half the interval's width; the intervals are symmetric."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Routing:
    """Router of one arm. matrices: (n_seeds, n_disciplines, n_experts), rows sum to 1.

    information: normalised mutual information (discipline; expert) per seed, in [0, 1].
    """

    seeds: tuple[int, ...]
    disciplines: tuple[Discipline, ...]
    matrices: Floats
    information: tuple[float, ...]


class Summary:
    """Reads one law's score table. An absent score is None, never a number."""

    def __init__(
        self,
        *,
        law: str,
        scores: ScoreTable,
        disciplines: Sequence[Discipline],
        world: str,
        scale_name: str,
        bases: Mapping[int, str] | None = None,
    ) -> None:
        places = task_places(disciplines, world)
        self.scores, self.scale_name = scores, scale_name
        self.disciplines = [d for d in disciplines if world in d.worlds]
        self.evidence = Evidence(scores=scores, places=places, law=law, bases=bases)
        self.accuracy = cache(self._accuracy)
        self.relative_gain = cache(self._relative_gain)
        self.diversity = cache(self._diversity)
        self.routing = cache(self._routing)
        self.path = cache(self._path)

    def scored(self, arm: str) -> bool:
        """Whether an arm has scores of any task's items."""
        return any(self.scores.seeds(arm, t) for t in self.scores.item_metric)

    def require(self, arms: Sequence[Arm], wanted_by: str) -> tuple[Arm, ...]:
        """The arms without scores, in the order given; what is there is shown all the same.

        Raises InputError where no arm has any.
        """
        missing = tuple(a for a in arms if not self.scored(a.name))
        if missing and len(missing) == len(arms):
            raise InputError(
                f"{wanted_by}: no scores of any of its {len(arms)} arms at scale "
                f"{self.scale_name!r}, the first is {missing[0].name!r}; {self.evidence.how}"
            )
        return missing

    def lacking(self, arm: str) -> tuple[str, ...]:
        """Disciplines of the average that other arms have scored items of, and this one has not."""
        places = self.evidence.places
        lost = {
            place.discipline
            for t in self.scores.item_metric
            if (place := places.get(t)) and place.role == "average" and not self._items(arm, t)
        }
        return tuple(sorted(lost))

    def _items(self, arm: str, task: str) -> set[int]:
        """Seeds with at least one scored item of a task."""
        seeds = self.scores.seeds(arm, task)
        if not seeds:
            return set()
        blank = np.asarray(np.isnan(self.scores.cube(arm, task, seeds)).all(axis=1))
        return {s for s, nothing in zip(seeds, blank.tolist(), strict=True) if not nothing}

    def _strata(self, arm: Arm, target: Target, metric: str | None = None) -> tuple[Stratum, ...]:
        """The target's tasks; none unless the arm has a seed with values of all of them."""
        places = [p for t in self.scores.item_metric if (p := self.evidence.places.get(t))]
        known = {name for p in places for name in (p.role, p.discipline)}
        known |= set(self.scores.item_metric)
        if not known.issuperset((target,) if isinstance(target, str) else target):
            return ()
        strata = self.evidence.strata(target)
        seeds = [
            self._items(arm.name, s.task)
            if metric is None
            else set(self.scores.seeds(arm.name, s.task, metric))
            for s in strata
        ]
        return strata if set.intersection(*seeds) else ()

    def _accuracy(self, arm: Arm, target: Target) -> Measure | None:
        """Accuracy in [0, 1] on `average`, a discipline, `general`, `out_of_domain` or a task, or
        on several of them.
        """
        if not self._strata(arm, target):
            return None
        found, _ = self.evidence.combination(((arm, 1.0),), target)
        return measure(found, 0.01, ITEMS_ONLY if found.single_run else CROSSED)

    def likelihood(self, arm: Arm, metric: str, target: str = "average") -> Measure | None:
        """An arm's mean of a metric that items have beside their score, in its unit."""
        try:
            found, _ = self.evidence.combination(((arm, 1.0),), target, metric)
        except MissingScoresError:
            return None
        return measure(found, 1.0, ITEMS_ONLY if found.single_run else CROSSED)

    def _relative_gain(self, arm: Arm, reference: Arm) -> Measure | None:
        """delta-m in percent: mean over disciplines of the relative change of the accuracies."""
        if not (self._strata(arm, "average") and self._strata(reference, "average")):
            return None
        try:
            found = estimate(RelativeGain(arm=arm, reference=reference), self.evidence).estimate
        except MissingScoresError:
            # Both have scores, but no seed in common.
            return None
        return None if math.isnan(found.value) else measure(found, 1.0, SEEDS_ONLY)

    def _diversity(self, arm: Arm) -> Measure | None:
        """Distinct n-grams of an arm's training mixture, in percent of all; mean over seeds."""
        per_seed: dict[int, list[float]] = {}
        for task in sorted(t for t, metric in self.scores.measured if metric == DISTINCT):
            seeds = self.scores.seeds(arm.name, task, DISTINCT)
            if seeds:
                cube = self.scores.cube(arm.name, task, seeds, DISTINCT)
                for seed, values in zip(seeds, cube, strict=True):
                    per_seed.setdefault(seed, []).extend(values[~np.isnan(values)].tolist())
        means = [100 * float(np.mean(v)) for v in per_seed.values() if v]
        return measure(paired_t(means), 1.0, SEEDS) if means else None

    def _path(self, arm: Arm, task: str, metric: str, first: int = 1) -> tuple[Measure, ...]:
        """A measurement of an arm's runs whose items are numbered from `first`, such as a domain's
        weight by phase: mean and interval over the seeds that come so far.
        """
        per_seed = []
        for seed in self.scores.seeds(arm.name, task, metric):
            (values,) = self.scores.cube(arm.name, task, (seed,), metric)
            # Items sort as text; a run that has diverged has fewer.
            numbers = sorted(range(first, first + len(values)), key=str)
            per_seed.append([value for _, value in sorted(zip(numbers, values, strict=True))])
        found = []
        for k in range(max(map(len, per_seed), default=0)):
            found.append(measure(paired_t([v[k] for v in per_seed if len(v) > k]), 1.0, SEEDS))
        return tuple(found)

    def _routing(self, arm: Arm) -> Routing | None:
        """Mean routing probabilities per seed, disciplines in table order."""
        strata = self._strata(arm, "average", ROUTING)
        if not strata:
            return None
        names = [s.task for s in strata]
        seeds, _ = self.evidence.common_seeds((arm,), names, ROUTING)
        cubes = {t: self.scores.cube(arm.name, t, seeds, ROUTING) for t in names}
        # Ids sort as text; experts are counted.
        ids = self.scores.items(arm.name, names[0], ROUTING)
        order = sorted(range(len(ids)), key=lambda k: (len(ids[k]), ids[k]))
        present = {s.discipline for s in strata}
        shown = tuple(d for d in self.disciplines if d.name in present)
        # (seeds, disciplines, experts); tasks weigh equally inside a discipline.
        matrices = np.stack(
            [
                np.mean([cubes[s.task] for s in strata if s.discipline == d.name], axis=0)
                for d in shown
            ],
            axis=1,
        )[:, :, order]
        return Routing(
            seeds=tuple(seeds),
            disciplines=shown,
            matrices=matrices / matrices.sum(axis=2, keepdims=True),
            information=tuple(router_information(m) for m in matrices),
        )


def measure(found: Estimate, scale: float, interval: str) -> Measure:
    """A `Measure` from an `Estimate`, in its unit times `scale`."""
    low, high = found.interval(ALPHA)
    return Measure(
        value=found.value * scale,
        low=None if low is None else low * scale,
        high=None if high is None else high * scale,
        interval=NONE if low is None else interval,
        n_seeds=found.n_seeds,
        n_items=found.n_items,
        n_unscored=found.n_unscored,
    )
