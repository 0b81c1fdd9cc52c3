"""A small base model is as good a selector as a large one."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.adapters_selector.arms import (
    BASE,
    CHANCE,
    MIDDLE,
    OLD_TWELVE,
    TWELVE,
    primary,
    selector,
)

SMALL = selector(TWELVE, MIDDLE, "COS", base="small")

LAW = Law(
    name="selector_bases",
    title="Base models of selectors",
    claim="A base model of a fifth of the size names tasks as well.",
    source="Tian et al., section 5.4; Table 4",
    base=BASE,
    tables=("selector_table_4",),
    hypotheses=(
        primary(
            name="small_suffices",
            claim="a small and a large base name equally many of twelve tasks",
            estimand=difference([SMALL], [OLD_TWELVE], TWELVE),
            alternative="equivalent",
            sesoi=2.0,
            margin=2.0,
            needs_pretrained=True,
            floor=CHANCE[TWELVE],
        ),
    ),
)
