"""The same part under other declared choices of data and settings: how many agree.

A specification is data: what is left out, how tasks are pooled, which settings of the estimand
change. It never decides; it shows on which choices an outcome hangs (Steegen et al. 2016).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lawcheck.declare.design import Arm, Contrast, Hypothesis, Target
from lawcheck.declare.metrics import ACCURACY
from lawcheck.errors import InputError
from lawcheck.judging.evidence import Evidence, MissingScoresError, Stratum

Pooling = Literal["disciplines", "items"]


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One set of choices; the defaults change nothing.

    without: disciplines left out of the average. pooling: `disciplines` weigh equally, or all
    `items` do. diverged: whether seeds with a diverged run among the arms compared stay in.
    settings: (field of the estimand, value), such as another detrending.
    """

    name: str
    without: tuple[str, ...] = ()
    pooling: Pooling = "disciplines"
    diverged: bool = True
    settings: tuple[tuple[str, Any], ...] = ()

    def of(self, h: Hypothesis) -> Hypothesis:
        """The hypothesis with the settings of its estimand replaced."""
        known = {f.name for f in dataclasses.fields(h.estimand)}
        lost = [name for name, _ in self.settings if name not in known]
        if lost:
            raise InputError(
                f"specification {self.name!r}: {type(h.estimand).__name__} of {h.name!r} has no "
                f"field {lost[0]!r}; name one of {', '.join(sorted(known))}"
            )
        if not self.settings:
            return h
        estimand = dataclasses.replace(h.estimand, **dict(self.settings))
        return dataclasses.replace(h, estimand=estimand)

    def on(self, evidence: Evidence) -> Evidence:
        """The evidence as this specification reads it."""
        given = {f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence)}
        given["without"] = evidence.without | set(self.without)
        return _Specified(**given | {"specification": self})


@dataclass(frozen=True, kw_only=True)
class _Specified(Evidence):
    specification: Specification = field(default_factory=lambda: Specification(name="main"))

    def strata(self, target: Target, metric: str = ACCURACY) -> tuple[Stratum, ...]:
        found = super().strata(target, metric)
        if self.specification.pooling == "disciplines":
            return found
        sizes = [self._size(s.task, None if metric == ACCURACY else metric) for s in found]
        return tuple(
            dataclasses.replace(s, weight=n / sum(sizes)) for s, n in zip(found, sizes, strict=True)
        )

    def _size(self, task: str, metric: str | None) -> int:
        arm = next(a for a in self.scores.arms if self.scores.seeds(a, task, metric))
        return len(self.scores.items(arm, task, metric))

    def common_seeds(
        self, arms: Iterable[Arm], tasks: Iterable[str], metric: str | None = None
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        arms = tuple(arms)
        seeds, notes = super().common_seeds(arms, tasks, metric)
        if self.specification.diverged:
            return seeds, notes
        names = {a.name for a in arms}
        bad = {s for (arm, s), n in self.scores.diverged.items() if n and arm in names}
        kept = tuple(s for s in seeds if s not in bad)
        if not kept:
            raise MissingScoresError(
                f"{self.what}: every seed has a diverged run, found none left; {self.how}"
            )
        return kept, notes


@dataclass(frozen=True, kw_only=True)
class Multiverse:
    """Outcomes of one part: of the main specification and of each other that applies.

    failed: (specification, why) of those that could not be judged, such as too little data left.
    """

    main: str
    outcomes: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def agreeing(self) -> int:
        return sum(outcome == self.main for _, outcome in self.outcomes)

    @property
    def share(self) -> float | None:
        """Share that agrees with the main one; None without another specification."""
        return self.agreeing / len(self.outcomes) if self.outcomes else None


def multiverse(
    h: Hypothesis,
    evidence: Evidence,
    specifications: Sequence[Specification],
    outcome: Callable[[Hypothesis, Evidence], str],
) -> Multiverse:
    """Judge a part under every specification. outcome: word of a part on its evidence.

    Raises InputError for two specifications of one name, or settings that the estimand lacks.
    """
    names = [s.name for s in specifications]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"specification {twice[0]!r} stands twice; rename one")
    outcomes, failed = [], []
    for s in specifications:
        changed, seen = s.of(h), s.on(evidence)
        try:
            outcomes.append((s.name, outcome(changed, seen)))
        except InputError as error:
            failed.append((s.name, str(error).removeprefix(f"{evidence.what} ")))
    main = outcome(h, evidence)
    return Multiverse(main=main, outcomes=tuple(outcomes), failed=tuple(failed))


def usual(h: Hypothesis, evidence: Evidence) -> tuple[Specification, ...]:
    """Specifications that every part has: each discipline left out, items pooled, no divergence.

    Only those that change the data of this part.
    """
    found: list[Specification] = []
    if h.estimand.averages:
        inside = evidence.strata("average")
        disciplines = sorted({s.discipline for s in inside})
        if len(disciplines) > 1:
            found += [Specification(name=f"without {d}", without=(d,)) for d in disciplines]
        pooled = Specification(name="items pooled", pooling="items")
        # Other estimands average disciplines themselves.
        if isinstance(h.estimand, Contrast) and _differ(
            pooled.on(evidence).strata("average"), inside
        ):
            found.append(pooled)
    names = {a.name for a in h.estimand.arms}
    if any(n and arm in names for (arm, _), n in evidence.scores.diverged.items()):
        found.append(Specification(name="without diverged runs", diverged=False))
    return tuple(found)


def _differ(a: Sequence[Stratum], b: Sequence[Stratum]) -> bool:
    return any(abs(x.weight - y.weight) > 1e-12 for x, y in zip(a, b, strict=True))
