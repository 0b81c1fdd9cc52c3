"""On a real model, a domain can be expanded without the others if forgetting is watched."""

from collections.abc import Callable

from lawcheck.declare.design import Arm, Check, Law, Measure, difference
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.metrics import WEIGHT
from lawcheck.studies.real_mixtures.arms import (
    BASE,
    BITS,
    DOMAINS,
    TARGETS,
    flexible,
    learned,
    primary,
    specific,
    unconditional,
)

# Probability of the right option: two points, as in the proxy world.
MARGIN = 0.02
REFUSED = 0.01
Strategy = Callable[[str], Arm]


def others(better: Strategy, worse: Strategy) -> Pooled:
    """Every target's arms on the domains that are not the target."""
    return Pooled(
        parts=tuple(
            difference([better(t)], [worse(t)], tuple(d for d in DOMAINS if d != t), BITS)
            for t in TARGETS
        )
    )


def checked(*strategies: Strategy) -> tuple[Check, ...]:
    return learned(s(t) for s in strategies for t in TARGETS)


# The target alone teaches more of it than may be lost, so that there is something to keep.
TAUGHT = tuple(
    Check(
        name=f"taught_{t}",
        kind="assay",
        claim=f"training on {t} alone makes its right options more than {MARGIN:g} likelier",
        estimand=difference([specific(t)], [BASE], t, "p_correct"),
        above=MARGIN,
    )
    for t in TARGETS
)
# Where the test for forgetting never stops a step, both arms are one.
STOPS = tuple(
    Check(
        name=f"stops_{t}",
        kind="manipulation",
        claim=f"the test keeps the share of {t} more than {REFUSED:g} lower, mean over phases",
        estimand=Measure(
            metric=WEIGHT, weights=((unconditional(t), 1.0), (flexible(t), -1.0)), target=t
        ),
        above=REFUSED,
    )
    for t in TARGETS
)

LAW = Law(
    name="real_expansion",
    title="Flexible domain expansion on a real model",
    claim=(
        "Raising one domain's share step by step keeps gold answers of the others likelier than "
        "training on that domain alone, keeps its gain on the domain, and stopping when others "
        "are forgotten helps."
    ),
    source="VersaTune, Algorithm 3; docs/versatune.md",
    base=BASE,
    hypotheses=(
        primary(
            name="keeps_others",
            claim="on domains that are not the target, expansion beats the target alone",
            estimand=others(flexible, specific),
            alternative="less",
            checks=(*checked(flexible), *TAUGHT),
        ),
        primary(
            name="target_kept",
            claim="the target alone makes its right options less than 0.02 likelier than expansion",
            estimand=Pooled(
                parts=tuple(
                    difference([specific(t)], [flexible(t)], t, "p_correct") for t in TARGETS
                )
            ),
            alternative="no_gain",
            sesoi=MARGIN,
            margin=MARGIN,
            checks=TAUGHT,
        ),
        primary(
            name="threshold",
            claim="on other domains, the test for forgetting beats expansion without it",
            estimand=others(flexible, unconditional),
            alternative="less",
            checks=(*checked(flexible, unconditional), *STOPS),
        ),
    ),
)
