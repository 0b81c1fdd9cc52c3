"""A mixture in the proportions of what the base model knows is the best fixed one."""

from lawcheck.declare.design import Law, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.versatune.arms import (
    CONSTANT,
    DOMAINS,
    DYNAMIC,
    INVERSE,
    RECIPROCAL,
    SWAPPED,
    UNIFORM,
    UNTRAINED,
    apart,
    learned,
    primary,
    secondary,
)

# The same five mixtures on either base.
MIXTURES = (CONSTANT, UNIFORM, INVERSE, RECIPROCAL, SWAPPED)

LAW = Law(
    name="knowledge_consistency",
    title="Knowledge-consistent mixtures",
    claim=(
        "Fine-tuning on domains in the proportions that the base model emits beats an even "
        "mixture, and so does not any other uneven one."
    ),
    source="VersaTune, Statement 1 and section 4.3; Table 1",
    base=UNTRAINED[0],
    # For Table 1.
    shown=(*UNTRAINED, *DYNAMIC),
    tables=tuple(f"versatune_table_{k}" for k in (1, *range(5, 11))),
    hypotheses=(
        primary(
            name="consistent",
            claim="detected shares beat even ones over the six domains, mean of both bases",
            estimand=difference(CONSTANT, UNIFORM, DOMAINS),
            alternative="greater",
            checks=(
                *learned(CONSTANT, UNIFORM),
                apart("even_is_another", "even shares are not those that the bases emit", UNIFORM),
            ),
        ),
        primary(
            name="not_any_skew",
            claim="a base's own shares beat those of the other base, mean of both bases",
            estimand=difference(CONSTANT, SWAPPED, DOMAINS),
            alternative="greater",
            checks=(
                *learned(CONSTANT, SWAPPED),
                apart("swapped_is_another", "the bases emit different shares", SWAPPED),
            ),
        ),
        secondary(
            name="inverse_worse",
            claim="shares that fall with what is known are worse than even ones",
            estimand=difference(INVERSE, UNIFORM, DOMAINS),
            alternative="less",
            checks=learned(INVERSE, UNIFORM),
        ),
        secondary(
            name="reciprocal_worse",
            claim="shares in proportion to 1 / detected are worse than even ones",
            estimand=difference(RECIPROCAL, UNIFORM, DOMAINS),
            alternative="less",
            checks=learned(RECIPROCAL, UNIFORM),
        ),
        secondary(
            name="dose",
            claim="the farther a mixture is from the detected shares, the lower its score",
            estimand=RankCorrelation(
                groups=tuple(zip(*MIXTURES, strict=True)), x="divergence", y=DOMAINS
            ),
            alternative="less",
            sesoi=0.3,
        ),
    ),
)
