"""A domain can be expanded without the others, as long as forgetting is watched."""

from collections.abc import Callable

from lawcheck.declare.design import Arm, Check, Law, Measure, difference
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.metrics import WEIGHT
from lawcheck.studies.versatune.arms import (
    DOMAINS,
    TARGETS,
    UNTRAINED,
    flexible,
    increase,
    learned,
    primary,
    secondary,
    specific,
    unconditional,
)

MARGIN = 2.0
# Of a share: a step refused after the first of eight phases lowers the mean by four times that.
REFUSED = 0.01
Strategy = Callable[[str], Arm]


def others(better: Strategy, worse: Strategy) -> Pooled:
    """Every target's arms on the domains that are not the target."""
    return Pooled(
        parts=tuple(
            difference([better(t)], [worse(t)], tuple(d for d in DOMAINS if d != t))
            for t in TARGETS
        )
    )


def on_target(better: Strategy, worse: Strategy) -> Pooled:
    return Pooled(parts=tuple(difference([better(t)], [worse(t)], t) for t in TARGETS))


def checked(*strategies: Strategy) -> tuple[Check, ...]:
    return learned(*(tuple(s(t) for t in TARGETS) for s in strategies))


def taught(strategy: Strategy) -> tuple[Check, ...]:
    """The target alone teaches more of it than may be lost, so that there is something to keep."""
    return tuple(
        Check(
            name=f"taught_{t}",
            kind="assay",
            claim=f"training on {t} alone lifts it more than {MARGIN:g} points above the base",
            estimand=difference([strategy(t)], UNTRAINED[:1], t),
            above=MARGIN,
        )
        for t in TARGETS
    )


def refused() -> tuple[Check, ...]:
    """Where the test for forgetting never stops a step, both arms are one."""
    return tuple(
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
    name="flexible_expansion",
    title="Flexible domain expansion",
    claim=(
        "Raising one domain's share step by step keeps what training on that domain alone loses "
        "elsewhere, keeps its gain on the domain, and stopping when others are forgotten helps."
    ),
    source="VersaTune, Algorithm 3 and section 4.4; Figures 2 and 4",
    base=UNTRAINED[0],
    shown=UNTRAINED[:1],
    figures=("versatune_figure_2", "versatune_figure_4"),
    hypotheses=(
        primary(
            name="keeps_others",
            claim="on domains that are not the target, expansion beats the target alone",
            estimand=others(flexible, specific),
            alternative="greater",
            sesoi=MARGIN,
            # An arm on one domain need not beat the base elsewhere: that is the claim.
            checks=(*checked(flexible), *taught(specific)),
        ),
        primary(
            name="target_kept",
            claim="the target alone gains less than two points over expansion on the target",
            estimand=on_target(specific, flexible),
            alternative="no_gain",
            sesoi=MARGIN,
            margin=MARGIN,
            checks=(*taught(specific), *checked(flexible)),
        ),
        primary(
            name="threshold",
            claim="on other domains, the test for forgetting beats expansion without it",
            estimand=others(flexible, unconditional),
            alternative="greater",
            checks=(*checked(flexible, unconditional), *refused()),
        ),
        secondary(
            name="beats_fixed_increase",
            claim="on other domains, expansion beats a fixed half for the target",
            estimand=others(flexible, increase),
            alternative="greater",
            checks=checked(flexible, increase),
        ),
        secondary(
            name="threshold_costs_nothing",
            claim="without the test the target gains less than two points",
            estimand=on_target(unconditional, flexible),
            alternative="no_gain",
            sesoi=MARGIN,
            margin=MARGIN,
            checks=(*checked(flexible), *taught(unconditional), *refused()),
        ),
    ),
)
