"""On a real model, a mixture in the proportions of what it emits beats an even one."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.real_mixtures.arms import (
    BASE,
    BITS,
    CONSTANT,
    DOMAINS,
    INVERSE,
    RECIPROCAL,
    UNIFORM,
    learned,
    primary,
    secondary,
)
from lawcheck.studies.versatune.arms import apart

LAW = Law(
    name="real_consistency",
    title="Knowledge-consistent mixtures on a real model",
    claim=(
        "Fine-tuning on domains in the proportions that a pretrained model emits makes gold "
        "answers likelier than an even mixture does."
    ),
    source="VersaTune, Statement 1 and section 4.3; docs/versatune.md",
    base=BASE,
    hypotheses=(
        primary(
            name="consistent",
            claim="detected shares beat even ones over the six domains",
            estimand=difference([CONSTANT], [UNIFORM], DOMAINS, BITS),
            alternative="less",
            checks=(
                *learned([CONSTANT, UNIFORM]),
                apart("even_is_another", "even shares are not those that it emits", [UNIFORM]),
            ),
        ),
        secondary(
            name="inverse_worse",
            claim="shares that fall with what is known are worse than even ones",
            estimand=difference([INVERSE], [UNIFORM], DOMAINS, BITS),
            alternative="greater",
            checks=learned([INVERSE, UNIFORM]),
        ),
        secondary(
            name="reciprocal_worse",
            claim="shares in proportion to 1 / detected are worse than even ones",
            estimand=difference([RECIPROCAL], [UNIFORM], DOMAINS, BITS),
            alternative="greater",
            checks=learned([RECIPROCAL, UNIFORM]),
        ),
        secondary(
            name="consistent_accuracy",
            claim="detected shares beat even ones over the six domains: more answers are right",
            estimand=difference([CONSTANT], [UNIFORM], DOMAINS[:4]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
