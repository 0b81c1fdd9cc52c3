"""Arms of VersaTune's study: one method, one schedule, one batch; only the mixture differs.

Two base models of opposite skews: with one alone, "a mixture that matches what the base knows"
cannot be separated from "much of that domain".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from lawcheck.declare.design import Arm, Check, Hypothesis, Measure, Mixture, Recipe, beats

BASES = ("skew_a", "skew_b")
OTHER = dict(zip(BASES, reversed(BASES), strict=True))
DISCIPLINES = ("math", "chemistry", "biology", "medicine", "geography")
DOMAINS = (*DISCIPLINES, "general")
# Domains that an arm expands: one of the largest, the smaller and the smallest disciplines.
TARGETS = ("biology", "medicine", "geography")
# Share of a target in `increase`.
INCREASED = 0.5
PASSES = 4
# Divergence from the detected shares, in nats, below which a mixture says the same.
APART = 0.05

UNTRAINED = tuple(Arm(method="base", base=base) for base in BASES)

primary = functools.partial(Hypothesis, role="primary", sesoi=1.0)
secondary = functools.partial(Hypothesis, role="secondary", sesoi=1.0)


def mixed(base: str = BASES[0], **mixture: Any) -> Arm:
    return Arm(method="full", base=base, recipe=Recipe(mixture=Mixture(**mixture)))


def on_both(**mixture: Any) -> tuple[Arm, ...]:
    """The same mixture on either base."""
    return tuple(mixed(base, **mixture) for base in BASES)


UNIFORM = on_both()
INVERSE = on_both(start="inverse")
RECIPROCAL = on_both(start="reciprocal")
CONSTANT = on_both(start="knowledge")
SWAPPED = tuple(mixed(base, start="knowledge", knowledge_of=OTHER[base]) for base in BASES)
DYNAMIC = on_both(start="knowledge", update="potential")
UNIFORM_DYNAMIC = on_both(update="potential")
PLACEBO = on_both(start="knowledge", update="placebo")
# Sensitivity of `dynamic` to the number of updates.
FEWER_UPDATES = on_both(start="knowledge", update="potential", phases=PASSES)
# The code updates after every epoch.
AS_RELEASED = on_both(start="knowledge", update="released", phases=PASSES)
DOREMI = on_both(update="doremi")
ODM = on_both(update="odm")
# One phase a domain.
CURRICULUM = on_both(update="curriculum", phases=len(DOMAINS))
CURRICULUM_REVERSED = on_both(update="curriculum_reversed", phases=len(DOMAINS))


def specific(target: str) -> Arm:
    """Nothing but the target domain."""
    return mixed(start="given", given=((target, 1.0),))


def increase(target: str) -> Arm:
    rest = (1 - INCREASED) / (len(DOMAINS) - 1)
    shares = tuple((d, INCREASED if d == target else rest) for d in DOMAINS)
    return mixed(start="given", given=shares)


def flexible(target: str) -> Arm:
    return mixed(start="knowledge", update="expansion", target=target)


def unconditional(target: str) -> Arm:
    """`flexible` without its test for forgetting."""
    return mixed(start="knowledge", update="expansion", target=target, guard=False)


def learned(*groups: tuple[Arm, ...]) -> tuple[Check, ...]:
    """Assays: every arm beats the untrained base that it was trained on, over the six domains."""
    checks = [
        beats([a], base, DOMAINS)[0]
        for group in groups
        for a in group
        for base in UNTRAINED
        if a.base == base.base
    ]
    return tuple(
        dataclasses.replace(check, name=f"assay_{k}") for k, check in enumerate(checks, start=1)
    )


def apart(name: str, claim: str, group: Sequence[Arm], above: float = APART) -> Check:
    """Manipulation: the mixtures of these arms are not what the base emits."""
    weights = tuple((a, 1 / len(group)) for a in group)
    return Check(
        name=name,
        kind="manipulation",
        claim=claim,
        estimand=Measure(metric="divergence", weights=weights, target="mixture"),
        above=above,
    )


def can_learn(*groups: Sequence[Arm]) -> tuple[Check, ...]:
    """Where no domain can be learned better, as a weak reference says, no share moves."""
    return tuple(
        Check(
            name=f"can_learn_{k}",
            kind="manipulation",
            claim=f"some potential of {a.name} is above 0 at the first update",
            estimand=Measure(metric="potential", weights=((a, 1.0),), target="first_update"),
        )
        for k, a in enumerate((a for group in groups for a in group), start=1)
    )
