"""Two real families: each one's own shares beat those of the other."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.real_mixtures.arms import (
    BASE,
    BITS,
    CONSTANT,
    DOMAINS,
    SECOND,
    learned,
    mixed,
    primary,
)
from lawcheck.studies.versatune.arms import apart

OWN = (CONSTANT, mixed(SECOND, start="knowledge"))
SWAPPED = tuple(
    mixed(base, start="knowledge", knowledge_of=other.base)
    for base, other in ((BASE, SECOND), (SECOND, BASE))
)

LAW = Law(
    name="real_swapped",
    title="Own and swapped shares of two real families",
    claim=(
        "Fine-tuning in the proportions that a pretrained model emits makes gold answers likelier "
        "than those of another family do."
    ),
    source="VersaTune, Statement 1; docs/versatune.md",
    base=BASE,
    shown=(SECOND,),
    hypotheses=(
        primary(
            name="not_any_skew",
            claim="a base's own shares beat those of the other base, mean of both bases",
            estimand=difference(OWN, SWAPPED, DOMAINS, BITS),
            alternative="less",
            checks=(
                *learned([*OWN, *SWAPPED]),
                apart("swapped_is_another", "the bases emit different shares", SWAPPED),
            ),
        ),
    ),
)
