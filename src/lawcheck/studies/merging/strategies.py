"""What an arm is in the paper's words: its start, its stages, and what it was merged with.

Read from what arms are made of, so that a law of one's own with such arms is shown as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from lawcheck.declare.design import Arm, Contrast, Law, Target, pooled
from lawcheck.errors import InputError
from lawcheck.judging.evidence import MissingScoresError
from lawcheck.judging.stats import Estimate
from lawcheck.show.context import RenderContext
from lawcheck.show.summary import CROSSED, ITEMS_ONLY, Measure, measure

STAGES = {"text": "CPT", "response": "SFT", "dpo": "DPO", "orpo": "ORPO"}
MERGES = {"slerp": "SLERP", "lerp": "LERP"}
STARTS = ("Base", "Instruct")


@dataclass(frozen=True)
class Strategy:
    """tuned: the arm before it was merged. partner: what it was merged with; None for no merge.

    start: `Base` or `Instruct`. stages: as the paper writes them. epoch: after which the last
    stage was stopped. noisy: share of shuffled rows.
    """

    arm: Arm
    tuned: Arm
    start: str
    stages: tuple[str, ...]
    partner: Arm | None = None

    @property
    def merged(self) -> bool:
        return self.partner is not None

    @property
    def kind(self) -> str:
        """`SLERP`, `LERP`, or nothing."""
        return MERGES[self.arm.method] if self.merged else ""

    @property
    def schedule(self) -> str:
        return str(self.arm.choices.get("schedule", "reference")) if self.merged else ""

    @property
    def epoch(self) -> int | None:
        recipe = self.tuned.recipe
        return None if recipe is None else recipe.stop_after

    @property
    def chain(self) -> str:
        return "-".join(self.stages)

    @cached_property
    def label(self) -> str:
        """As the paper writes it: `Instruct-CPT-SFT-DPO-SLERP`."""
        return "-".join(p for p in (self.start, *self.stages, self.kind) if p)


def instructs(law: Law) -> dict[str, Arm]:
    """Base -> the arm that its merges are made with."""
    found: dict[str, Counter[Arm]] = {}
    for arm in law.arms:
        if arm.method in MERGES and len(arm.parents) == 2:
            found.setdefault(arm.base, Counter())[arm.parents[0]] += 1
    return {base: counts.most_common(1)[0][0] for base, counts in found.items()}


def strategies(law: Law, wanted_by: str) -> list[Strategy]:
    """Every arm of a law that adapts one of its models, unmerged ones first.

    Merges of two runs of one strategy are left out: `self_merges` finds them. Raises InputError
    where the law has no merge.
    """
    partners = instructs(law)
    if not partners:
        raise InputError(
            f"{wanted_by}: law {law.name!r} declares no merge (methods {' and '.join(MERGES)}); "
            f"declare one, or leave {wanted_by} out of its list"
        )
    found: dict[Arm, Strategy] = {}
    for arm in law.arms:
        merge = arm.method in MERGES and len(arm.parents) == 2
        partner = partners.get(arm.base)
        if arm == partner or (merge and arm.parents[0] != partner):
            continue
        tuned = arm.parents[1] if merge else arm
        start, stages = chain(tuned, partner)
        if stages:
            found[arm] = Strategy(arm, tuned, start, stages, partner if merge else None)
    return sorted(found.values(), key=lambda s: s.merged)


def self_merges(law: Law) -> list[Arm]:
    """Merges of two runs of one strategy, which share no instruct model."""
    partners = instructs(law)
    return [
        a
        for a in law.arms
        if a.method in MERGES and len(a.parents) == 2 and a.parents[0] != partners[a.base]
    ]


def chain(arm: Arm, instruct: Arm | None) -> tuple[str, tuple[str, ...]]:
    """Start and stages of an arm; no stages for an untrained one."""
    stages: list[str] = []
    while arm != instruct and arm.recipe is not None:
        stages.append(_stage(arm))
        if not arm.parents:
            return STARTS[0], tuple(reversed(stages))
        arm = arm.parents[0]
    return STARTS[arm == instruct], tuple(reversed(stages))


def _stage(arm: Arm) -> str:
    assert arm.recipe is not None
    name = STAGES.get(arm.recipe.objective, arm.recipe.objective)
    if arm.method != "full":
        name = f"{arm.method.upper().replace('LORA', 'LoRA')} {name}"
    if arm.recipe.shuffled:
        name = f"noisy {name}"
    return name


def plain(found: Sequence[Strategy]) -> list[Strategy]:
    """Those of full fine-tuning on clean rows to the end, merged by SLERP as in the reference."""
    return [
        s
        for s in found
        if s.epoch is None
        and set(s.stages) <= set(STAGES.values())
        and (not s.merged or (s.kind, s.schedule) == ("SLERP", "reference"))
        and (s.tuned.recipe is None or s.tuned.recipe.replica == 1)
    ]


def by_tuned(found: Sequence[Strategy]) -> dict[Arm, list[Strategy]]:
    """Tuned arm -> what shares it: itself, then its merges; by start, then in the law's order."""
    groups: dict[Arm, list[Strategy]] = {}
    for s in sorted(found, key=lambda s: (STARTS.index(s.start), len(s.stages), s.stages)):
        groups.setdefault(s.tuned, []).append(s)
    return {t: sorted(group, key=lambda s: s.merged) for t, group in groups.items()}


# ------------------------------------------------------------------------------- what is measured


def domain(law: Law) -> Target:
    """Target of the law's first contrast: the disciplines that the models are adapted to."""
    return next(
        (h.estimand.target for h in law.hypotheses if isinstance(h.estimand, Contrast)), "average"
    )


def level(context: RenderContext, arm: Arm) -> Measure | None:
    """Accuracy on the adapted disciplines, in [0, 1]."""
    return context.summary.accuracy(arm, domain(context.law))


def estimated(context: RenderContext, contrast: Contrast) -> Estimate | None:
    """A contrast in points, or None where an arm has no scores or no seed is common to all."""
    if any(context.summary.accuracy(a, contrast.target) is None for a in contrast.arms):
        return None
    try:
        return context.summary.evidence.combination(contrast.weights, contrast.target)[0]
    except MissingScoresError:
        return None


def over(context: RenderContext, arms: Sequence[Arm], controls: Sequence[Arm]) -> Estimate | None:
    """Mean of arms less the mean of others, on the adapted disciplines, in points."""
    weights = pooled(arms, controls)
    if not weights:
        return None
    return estimated(context, Contrast(weights=weights, target=domain(context.law)))


def pooled_level(context: RenderContext, arms: Sequence[Arm]) -> Measure | None:
    """Mean of several arms' accuracies; None unless all have scores and share a seed."""
    target = domain(context.law)
    if not arms or any(level(context, a) is None for a in arms):
        return None
    weights = tuple((a, 1 / len(arms)) for a in arms)
    try:
        found, _ = context.summary.evidence.combination(weights, target)
    except MissingScoresError:
        return None
    return measure(found, 0.01, ITEMS_ONLY if found.single_run else CROSSED)


@dataclass(frozen=True)
class Synergy:
    """A merge against its parents, in points; all None where a score is missing.

    over_mean: against the mean of both. over_better: the smaller of the contrasts with either,
    p: the larger of their one-sided p values, of a merge above both (intersection-union).
    gap: |P1 - P2|.
    """

    strategy: Strategy
    over_mean: Estimate | None
    over_better: Estimate | None
    p: float | None
    gap: float | None


def synergy(context: RenderContext, s: Strategy) -> Synergy:
    assert s.partner is not None
    both = (s.partner, s.tuned)
    mean = over(context, [s.arm], both)
    each = [e for parent in both if (e := over(context, [s.arm], [parent]))]
    levels = [m.value for parent in both if (m := level(context, parent))]
    if mean is None or len(each) < 2 or len(levels) < 2:
        return Synergy(s, None, None, None, None)
    ps = [e.p_above() for e in each]
    p = None if None in ps else max(p for p in ps if p is not None)
    smaller = min(each, key=lambda e: e.value)
    return Synergy(s, mean, smaller, p, 100 * abs(levels[0] - levels[1]))


def merges(context: RenderContext, wanted_by: str) -> list[Strategy]:
    """The reference merges of a law on its own base model, by start and stages."""
    base = context.law.base.base
    found = [s for s in plain(strategies(context.law, wanted_by)) if s.merged]
    own = [s for s in found if s.arm.base == base] or found
    return [s for group in by_tuned(own).values() for s in group]


def sizes(law: Law) -> Iterator[str]:
    """The base models of the law's arms, in the order of first mention."""
    yield from dict.fromkeys(a.base for a in law.arms)
