"""Share-then-Specialize: sharing the LoRA A matrix helps, and lets experts specialise."""

from lawcheck.declare.design import (
    Arm,
    Check,
    Cost,
    Law,
    Recipe,
    RelativeGain,
    RouterInformation,
    beats,
    difference,
    pooled,
)
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    TUNED,
    discipline_lora,
    full,
    lora_moe,
    primary,
    secondary,
)

FRACTIONS = (0.7, 1.0)


def design(variant: str) -> tuple[Arm, ...]:
    """One design at every data fraction of Table 8."""
    return tuple(lora_moe(variant, Recipe(fraction=f)) for f in FRACTIONS)


PLAIN, SHARED_A = design("plain"), design("shared_a")
SHARED_EXPERT, RANK_ROUTE = design("shared_expert"), design("rank_route")
ORIGINAL_FULL, TUNED_FULL = full(), full(TUNED)
ORIGINAL_MOE, TUNED_MOE = lora_moe("plain"), lora_moe("shared_a", TUNED)
DISCIPLINE_LORA = discipline_lora()
# Smallest difference of interest, as a share of the maximum.
SPECIALISED = 0.05
# Routers that carry less than the smallest difference cannot differ by it.
ROUTES = Check(
    name="experts_specialise",
    kind="assay",
    claim="routers of the shared-expert design carry more than the smallest difference",
    estimand=RouterInformation(weights=((SHARED_EXPERT[-1], 1.0),)),
    above=SPECIALISED,
)

LAW = Law(
    name="share_then_specialize",
    title="Share-then-Specialize",
    claim=(
        "A LoRA-MoE that shares A and routes B beats the plain mixture and the shared-expert "
        "design, specialises its experts by discipline, and with the tuned recipe equals tuned "
        "full fine-tuning at a fraction of its cost."
    ),
    source="Wang et al., section 4.4 and 5; Tables 3 and 8, Figures 4 c and 5",
    base=BASE,
    shown=(ORIGINAL_FULL, DISCIPLINE_LORA),
    tables=("table_3", "table_8"),
    figures=("figure_4c", "figure_5"),
    hypotheses=(
        primary(
            name="share",
            claim="sharing A beats the plain mixture, data 70 and 100 %",
            estimand=difference(SHARED_A, PLAIN),
            alternative="greater",
            checks=beats((*SHARED_A, *PLAIN), BASE),
        ),
        primary(
            name="not_mere_sharing",
            claim="sharing A beats adding a shared expert, data 70 and 100 %",
            estimand=difference(SHARED_A, SHARED_EXPERT),
            alternative="greater",
            checks=beats((*SHARED_A, *SHARED_EXPERT), BASE),
        ),
        primary(
            name="specialise",
            claim="experts tell disciplines apart better with a shared A than a shared expert",
            # No fraction is listed for routing; the paper's Figure 5 shows the full data.
            estimand=RouterInformation(weights=pooled(SHARED_A[-1:], SHARED_EXPERT[-1:])),
            alternative="greater",
            sesoi=SPECIALISED,
            checks=(ROUTES,),
        ),
        primary(
            name="parity",
            claim="tuned LoRA-MoE equals tuned full fine-tuning within 1.5 points",
            estimand=difference([TUNED_MOE], [TUNED_FULL]),
            alternative="equivalent",
            margin=1.5,
        ),
        primary(
            name="cost",
            claim="tuned LoRA-MoE trains fewer parameters in fewer GPU hours, at paper scale",
            estimand=Cost(arm=TUNED_MOE, reference=TUNED_FULL),
            alternative="below",
        ),
        secondary(
            name="shared_expert_gains_nothing",
            claim="a shared expert gains less than one point over the plain mixture",
            estimand=difference(SHARED_EXPERT, PLAIN),
            alternative="no_gain",
            margin=1.0,
        ),
        secondary(
            name="rank_route_gains_nothing",
            claim="rank-wise routing gains less than one point over the plain mixture",
            estimand=difference(RANK_ROUTE, PLAIN),
            alternative="no_gain",
            margin=1.0,
        ),
        secondary(
            name="recipe_lifts_full",
            claim="the tuned recipe beats the original data for full fine-tuning",
            estimand=difference([TUNED_FULL], [ORIGINAL_FULL]),
            alternative="greater",
        ),
        secondary(
            name="recipe_lifts_moe",
            claim="the tuned recipe and a shared A beat the original LoRA-MoE",
            estimand=difference([TUNED_MOE], [ORIGINAL_MOE]),
            alternative="greater",
        ),
        secondary(
            name="delta_m_full",
            claim="tuned full fine-tuning beats discipline LoRA on average, relative change",
            estimand=RelativeGain(arm=TUNED_FULL, reference=DISCIPLINE_LORA),
            alternative="greater",
        ),
        secondary(
            name="delta_m_moe",
            claim="tuned LoRA-MoE beats discipline LoRA on average, relative change",
            estimand=RelativeGain(arm=TUNED_MOE, reference=DISCIPLINE_LORA),
            alternative="greater",
        ),
        secondary(
            name="out_of_domain",
            claim="tuned LoRA-MoE generalises better out of domain than tuned full fine-tuning",
            estimand=difference([TUNED_MOE], [TUNED_FULL], target="out_of_domain"),
            alternative="greater",
        ),
        secondary(
            name="specialise_over_plain",
            claim="experts tell disciplines apart better with a shared A than in the plain mixture",
            estimand=RouterInformation(weights=pooled(SHARED_A[-1:], PLAIN[-1:])),
            alternative="greater",
            sesoi=0.05,
        ),
    ),
)
