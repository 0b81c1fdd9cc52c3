"""What a hypothesis is judged on: scores, where tasks belong, which seeds may be compared."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm, Contrast, Target, Weights
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.metrics import ACCURACY, unbounded
from lawcheck.errors import InputError, nearest
from lawcheck.judging.stats import POINTS, Estimate, two_way
from lawcheck.scores import ScoreTable, TaskPlace

Floats = NDArray[np.float64]
CostOf = Callable[[Arm, str, str], float]


# Skewness of a mean that is worth a note: one bound is then some 2 % further out.
SKEWED = 0.1


class MissingScoresError(InputError):
    """The table lacks scores that the law needs; making them is the next step."""


@dataclass(frozen=True)
class Stratum:
    """A task of the target with its weight; the weights of a target sum to 1."""

    task: str
    discipline: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class Differences:
    """A contrast before it is averaged.

    cubes: one (n_units, n_items) array a stratum, in hundreds of the metric's unit (1 = 100
    points), NaN where an arm is unscored; units are seeds, or base models where seeds share them.
    clusters: labels of a stratum's items, or None.
    """

    cubes: tuple[Floats, ...]
    strata: tuple[Stratum, ...]
    clusters: tuple[list[str] | None, ...]
    notes: tuple[str, ...]

    @property
    def weights(self) -> list[float]:
        return [s.weight for s in self.strata]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Read-only view of a score table for one law.

    bases: seed -> base model; None where every seed is its own unit. cost: planned cost of
    (arm, quantity, scale). without: disciplines left out of the average. seed: of `generator`.
    pretrained: whether the base models were pretrained by others. law, hypothesis: for messages.
    groups: target -> its tasks, of equal weight, before `places` is asked. step: what to do about
    scores that are not there, for messages; empty for the law's own workflow. assay: whether
    no-gain and equivalence claims ask that every arm beats the law's base. whole: whether every
    task of `places` must have scores, as where a law names them. controls: control of the scale ->
    whether it passed; None where none were judged.
    """

    scores: ScoreTable
    places: Mapping[str, TaskPlace]
    law: str = "law"
    hypothesis: str = ""
    bases: Mapping[int, str] | None = None
    cost: CostOf | None = None
    without: frozenset[str] = frozenset()
    pretrained: bool = True
    seed: int = 0
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    step: str = ""
    assay: bool = True
    whole: bool = False
    controls: Mapping[str, bool] | None = None

    def for_part(self, hypothesis: str) -> Evidence:
        return dataclasses.replace(self, hypothesis=hypothesis)

    def generator(self) -> np.random.Generator:
        """A fresh generator; equal scores and seed give equal verdicts."""
        return np.random.default_rng(self.seed)

    @property
    def what(self) -> str:
        """Law and hypothesis, to start an error line with."""
        return f"{self.law}: hypothesis {self.hypothesis!r}" if self.hypothesis else self.law

    @property
    def how(self) -> str:
        return self.step or f"run: snakemake --profile local law_{self.law}"

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Errors from inside say which law and hypothesis they concern, and the next step."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.what}: {error}; {self.how}") from error

    def scored(self, metric: str = ACCURACY) -> frozenset[str]:
        """Tasks whose items have this metric."""
        if metric == ACCURACY:
            return frozenset(self.scores.item_metric)
        return frozenset(t for t, m in self.scores.measured if m == metric)

    def strata(self, target: Target, metric: str = ACCURACY) -> tuple[Stratum, ...]:
        """Tasks of a target: `average`, a companion's role, a discipline, a group, or a task.

        Disciplines weigh equally, tasks equally inside theirs; targets of a tuple equally. Only
        tasks with scores count; `gaps` names the disciplines that have none. A group needs all of
        its tasks.
        """
        if isinstance(target, str):
            return self._of_one(target, metric)
        found: dict[str, Stratum] = {}
        for stratum in (s for t in target for s in self._of_one(t, metric)):
            before = found[stratum.task].weight if stratum.task in found else 0.0
            weight = before + stratum.weight / len(target)
            found[stratum.task] = dataclasses.replace(stratum, weight=weight)
        return tuple(found.values())

    def _of_one(self, target: str, metric: str) -> tuple[Stratum, ...]:
        scored = self.scored(metric)
        known = {d for p in self.places.values() for d in (p.role, p.discipline)}
        if target in self.groups or (target not in known and target in scored):
            return self._named(self.groups.get(target, (target,)), metric)
        known |= {*self.groups, *self.scores.item_metric, *scored}
        if target not in known:
            raise InputError(f"{self.what}: unknown target {target!r} ({nearest(target, known)})")
        if self.whole:
            named = tuple(t for t, p in self.places.items() if self._counts(p, target))
            self._named(named, metric)
        inside: dict[str, list[str]] = {}
        for task in sorted(scored):
            place = self.places.get(task)
            if place is not None and self._counts(place, target):
                inside.setdefault(place.discipline, []).append(task)
        if not inside:
            raise MissingScoresError(
                f"{self.what} needs {_scores_of(metric)} of {target!r}, found none in any arm; "
                f"{self.how}"
            )
        return tuple(
            Stratum(task, d, 1 / len(inside) / len(tasks))
            for d, tasks in sorted(inside.items())
            for task in tasks
        )

    def _named(self, tasks: tuple[str, ...], metric: str = ACCURACY) -> tuple[Stratum, ...]:
        scored = self.scored(metric)
        lost = [t for t in tasks if t not in scored]
        if lost:
            raise MissingScoresError(
                f"{self.what} needs {_scores_of(metric)} of {', '.join(lost)}, found none in any "
                f"arm ({nearest(lost[0], scored)}); {self.how}"
            )
        return tuple(Stratum(t, t, 1 / len(tasks)) for t in tasks)

    def gaps(self, target: Target, metric: str = ACCURACY) -> tuple[str, ...]:
        """Note on the disciplines of a target that no arm has scores for."""
        if not isinstance(target, str):
            return tuple(dict.fromkeys(n for t in target for n in self.gaps(t, metric)))
        declared = {p.discipline for p in self.places.values() if self._counts(p, target)}
        if target in self.groups or not declared:
            return ()
        found = {s.discipline for s in self.strata(target, metric)}
        if declared == found:
            return ()
        lost = ", ".join(sorted(declared - found))
        what = f"{len(found)} of {len(declared)} disciplines"
        return (f"mean of {what}; no {_scores_of(metric)} of {lost}",)

    def _counts(self, place: TaskPlace, target: str) -> bool:
        named = target in (place.role, place.discipline)
        return named and not (target == "average" and place.discipline in self.without)

    def common_seeds(
        self, arms: Iterable[Arm], tasks: Iterable[str], metric: str | None = None
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Seeds for which every arm has every task, and a note on those left out.

        Raises MissingScoresError where an arm has no complete seed, or no seed is common to all.
        """
        tasks = tuple(tasks)
        have: dict[str, set[int]] = {}
        for a in dict.fromkeys(arms):
            per_task = {t: set(self.scores.seeds(a.name, t, metric)) for t in tasks}
            have[a.name] = set.intersection(*per_task.values())
            if not have[a.name]:
                lost = [t for t, seeds in per_task.items() if not seeds] or tasks
                raise MissingScoresError(
                    f"{self.what} needs arm {a.name!r}, found no seed with scores of "
                    f"{', '.join(lost)}; {self.how}"
                )
        common = set.intersection(*have.values())
        everything = set.union(*have.values())
        if not common:
            first, other = (next(a for a in have if a != b) for b in list(have)[:2])
            raise MissingScoresError(
                f"{self.what} needs the same seeds in every arm, found {sorted(have[other])} in "
                f"{other!r} and {sorted(have[first])} in {first!r}; {self.how}"
            )
        notes: tuple[str, ...] = ()
        if everything != common:
            out = sorted(everything - common)
            gap = next((s, a) for s in out for a in have if s not in have[a])
            notes = (
                f"seeds {', '.join(map(str, out))} left out: not scored in every arm "
                f"(arm {gap[1]!r} has no seed {gap[0]})",
            )
        return tuple(sorted(common)), notes

    def by_base(self, values: Floats, seeds: Sequence[int]) -> tuple[Floats, tuple[str, ...]]:
        """Mean over the seeds of each base model along axis 0, where bases are fewer than seeds.

        One base for all seeds leaves seeds as they are: the result speaks of that base only.
        """
        if self.bases is None:
            return values, ()
        lost = [s for s in seeds if s not in self.bases]
        if lost:
            raise InputError(f"{self.what}: no base model is named for seed {lost[0]}; name it")
        groups: dict[str, list[int]] = {}
        for k, s in enumerate(seeds):
            groups.setdefault(self.bases[s], []).append(k)
        if len(groups) == len(seeds):
            return values, ()
        if len(groups) == 1:
            return values, ("one base model for all seeds: the result speaks of that base only",)
        means = [_mean_seen(values[ks]) for _, ks in sorted(groups.items())]
        return np.stack(means), (f"{len(seeds)} seeds on {len(groups)} bases: clustered by base",)

    def levels(
        self,
        arms: Iterable[Arm],
        target: Target = "average",
        items: Callable[[str], bool] | None = None,
    ) -> tuple[dict[Arm, Floats], tuple[str, ...], tuple[str, ...]]:
        """Accuracy in points of every arm on the seeds common to all, and the disciplines.

        items: which ids count, or labels of clusters where a task has them; None: all. Returns
        arm -> (n_seeds, n_disciplines), or base models in place of seeds where seeds share them;
        the disciplines of the columns, or the targets of a tuple; notes. Unscored items are left
        out.
        """
        arms = tuple(dict.fromkeys(arms))
        strata = self.strata(target)
        seeds, notes = self.common_seeds(arms, (s.task for s in strata))

        def columns(a: Arm, of: Sequence[Stratum]) -> list[Floats]:
            found = []
            for name in dict.fromkeys(s.discipline for s in of):
                tasks = [s.task for s in of if s.discipline == name]
                means = [_mean_seen(self._chosen(a, t, seeds, items).T) for t in tasks]
                found.append(100 * np.mean(means, axis=0))
            return found

        names = tuple(dict.fromkeys(s.discipline for s in strata))
        each = [] if isinstance(target, str) else [self.strata(t) for t in target]
        found: dict[Arm, Floats] = {}
        based: tuple[str, ...] = ()
        for a in arms:
            # Targets weigh equally, whatever each of them is the mean of.
            own = [np.mean(columns(a, of), axis=0) for of in each] or columns(a, strata)
            found[a], based = self.by_base(np.stack(own, axis=1), seeds)
        if not isinstance(target, str):
            names = target
        return found, names, (*self.gaps(target), *notes, *based)

    def _chosen(
        self, a: Arm, task: str, seeds: Sequence[int], items: Callable[[str], bool] | None
    ) -> Floats:
        cube = self.scores.cube(a.name, task, seeds)
        if items is None:
            return cube
        # What one cluster's items share must not be on both sides of a split.
        units = self.scores.clusters(task) or self.scores.items(a.name, task)
        return cube[:, [items(unit) for unit in units]]

    def differences(self, weights: Weights, target: Target, metric: str = ACCURACY) -> Differences:
        """Weighted sum of arms' item scores on a target, task by task, on their common seeds."""
        return self.pooled_differences(((weights, target),), metric)

    def differences_of(self, estimand: Contrast | Pooled) -> Differences:
        parts = estimand.parts if isinstance(estimand, Pooled) else (estimand,)
        return self.pooled_differences([(c.weights, c.target) for c in parts], estimand.metric)

    def pooled_differences(
        self, parts: Sequence[tuple[Weights, Target]], metric: str = ACCURACY
    ) -> Differences:
        """Mean of `differences` on several targets; tasks of several are added by item."""
        share = 1 / len(parts)
        terms: dict[str, list[tuple[float, Weights]]] = {}
        merged: dict[str, Stratum] = {}
        for weights, target in parts:
            for stratum in self.strata(target, metric):
                weight = stratum.weight * share
                terms.setdefault(stratum.task, []).append((weight, weights))
                whole = sum(w for w, _ in terms[stratum.task])
                merged[stratum.task] = dataclasses.replace(stratum, weight=whole)
        strata = tuple(merged.values())
        of = None if metric == ACCURACY else metric
        arms = dict.fromkeys(a for weights, _ in parts for a, _ in weights)
        seeds, notes = self.common_seeds(arms, merged, of)
        cubes = []
        based: tuple[str, ...] = ()
        for stratum in strata:
            total = sum(
                weight / stratum.weight * w * self.scores.cube(a.name, stratum.task, seeds, of)
                for weight, weights in terms[stratum.task]
                for a, w in weights
            )
            cube, based = self.by_base(np.asarray(total), seeds)
            if of is not None:
                # The statistics multiply what they read by 100.
                cube = cube / POINTS
            cubes.append(cube)
        return Differences(
            cubes=tuple(cubes),
            strata=strata,
            clusters=tuple(self.scores.clusters(s.task, of) for s in strata),
            notes=(
                *dict.fromkeys(g for _, t in parts for g in self.gaps(t, metric)),
                *notes,
                *based,
            ),
        )

    def combination(
        self, weights: Weights, target: Target, metric: str = ACCURACY
    ) -> tuple[Estimate, tuple[str, ...]]:
        """Weighted sum of arms' scores on a target, in the metric's unit, by the guarded two-way t.

        The weights need not sum to 0: one arm with weight 1 gives its level.
        """
        return self.estimated(self.differences(weights, target, metric), metric)

    def estimated(
        self, found: Differences, metric: str = ACCURACY
    ) -> tuple[Estimate, tuple[str, ...]]:
        with self.named():
            estimate = two_way(found.cubes, found.weights, found.clusters, unbounded(metric))
        return estimate, (*found.notes, *sampling_notes(estimate))


def _scores_of(metric: str) -> str:
    return "scores" if metric == ACCURACY else metric


def sampling_notes(estimate: Estimate) -> tuple[str, ...]:
    """What the sampling of an estimate leaves out, in words."""
    notes = []
    if estimate.n_dropped:
        notes.append(f"{estimate.n_dropped} seeds left out: a discipline without a scored item")
    if estimate.n_unscored:
        notes.append(f"{estimate.n_unscored:,} unscored items left out")
    if estimate.n_clusters < estimate.n_items:
        notes.append(f"{estimate.n_items:,} items in {estimate.n_clusters:,} clusters")
    if estimate.single_run and estimate.se is not None:
        notes.append("single run: the interval covers items only, not a new training run")
    if abs(estimate.skew) > SKEWED:
        notes.append(
            f"a few items carry it (skewness of the mean {estimate.skew:+.2f}): the bound on that "
            f"side is wider"
        )
    if estimate.se == 0:
        notes.append("no variation over seeds and items: nothing to test against")
    return tuple(notes)


def _mean_seen(values: Floats) -> Floats:
    """Mean over axis 0 of what is not NaN; NaN where nothing is."""
    seen = ~np.isnan(values)
    count = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
