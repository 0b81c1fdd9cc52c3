"""Merge-then-Align: mixing disciplines costs instruction following; general data restores it.

General share and data fraction are crossed, so that their effects, which the printed table
mixes, come apart.
"""

from lawcheck.declare.design import Arm, Law, Recipe, beats, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    discipline_lora,
    full,
    lora,
    lora_comp,
    lora_moe,
    primary,
    secondary,
)

SHARES, FRACTIONS = (0.0, 0.7, 1.0), (0.7, 1.0)
METHODS = (lora, lambda recipe: lora_moe("plain", recipe), lora_comp)
FULL, FULL_ALIGNED = full(), full(Recipe(general_share=1.0))
DISCIPLINE_LORA = discipline_lora()
INSTRUCTIONS = "general"


def mixed(share: float, *fractions: float) -> tuple[Arm, ...]:
    """The three adapter methods with a share of the general pool, at each data fraction."""
    return tuple(
        method(Recipe(fraction=f, general_share=share)) for method in METHODS for f in fractions
    )


EVERY = tuple(a for share in SHARES for a in mixed(share, *FRACTIONS))

LAW = Law(
    name="merge_then_align",
    title="Merge-then-Align",
    claim=(
        "Merging disciplines harms instruction following; general instructions restore it, lift "
        "the average and bring it above learning each discipline alone."
    ),
    source="Wang et al., section 4.2; Tables 2 and 6",
    base=BASE,
    shown=(*EVERY, FULL, FULL_ALIGNED, DISCIPLINE_LORA),
    tables=("table_2", "table_6"),
    hypotheses=(
        primary(
            name="forget",
            claim="without general data, instruction following falls below the base",
            estimand=difference(mixed(0.0, 1.0), [BASE], INSTRUCTIONS),
            alternative="less",
            sesoi=2.0,
        ),
        primary(
            name="align",
            claim="all general data lifts instruction following, data 70 and 100 %",
            estimand=difference(mixed(1.0, *FRACTIONS), mixed(0.0, *FRACTIONS), INSTRUCTIONS),
            alternative="greater",
            sesoi=2.0,
        ),
        primary(
            name="lift",
            claim="all general data lifts the five-discipline average, data 70 and 100 %",
            estimand=difference(mixed(1.0, *FRACTIONS), mixed(0.0, *FRACTIONS)),
            alternative="greater",
            checks=beats((*mixed(1.0, *FRACTIONS), *mixed(0.0, *FRACTIONS)), BASE),
        ),
        primary(
            name="synergy",
            claim="with all general data the average exceeds discipline LoRA, all data",
            estimand=difference(mixed(1.0, 1.0), [DISCIPLINE_LORA]),
            alternative="greater",
            checks=beats((*mixed(1.0, 1.0), DISCIPLINE_LORA), BASE),
        ),
        secondary(
            name="part_of_the_pool_helps",
            claim="70 % of the general data follows instructions better than none",
            estimand=difference(mixed(0.7, *FRACTIONS), mixed(0.0, *FRACTIONS), INSTRUCTIONS),
            alternative="greater",
            sesoi=2.0,
        ),
        secondary(
            name="whole_pool_helps_more",
            claim="all of the general data follows instructions better than 70 %",
            estimand=difference(mixed(1.0, *FRACTIONS), mixed(0.7, *FRACTIONS), INSTRUCTIONS),
            alternative="greater",
            sesoi=2.0,
        ),
        secondary(
            name="full_forgets",
            claim="full fine-tuning without general data falls below the base's instructions",
            estimand=difference([FULL], [BASE], INSTRUCTIONS),
            alternative="less",
            sesoi=2.0,
        ),
        secondary(
            name="full_aligns",
            claim="all general data lifts instruction following of full fine-tuning",
            estimand=difference([FULL_ALIGNED], [FULL], INSTRUCTIONS),
            alternative="greater",
            sesoi=2.0,
        ),
        secondary(
            name="full_lifts",
            claim="all general data lifts the five-discipline average of full fine-tuning",
            estimand=difference([FULL_ALIGNED], [FULL]),
            alternative="greater",
        ),
        secondary(
            name="instructions_track_average",
            claim="arms that follow instructions better score higher on the disciplines",
            estimand=RankCorrelation(groups=((*EVERY, FULL, FULL_ALIGNED),), x=INSTRUCTIONS),
            alternative="greater",
            sesoi=0.3,
        ),
    ),
)
