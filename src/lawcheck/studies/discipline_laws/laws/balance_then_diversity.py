"""Balance-then-Diversity: upsample scarce disciplines, and keep the samples diverse."""

from lawcheck.declare.design import Arm, Contrast, Hypothesis, Law, Recipe, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    lora,
    lora_comp,
    lora_moe,
    primary,
    secondary,
    upsampled,
)

NONE = Recipe()
DIVERSE_100K, UNIQUE_100K, DIVERSE_300K, UNIQUE_300K = (
    Recipe(upsampling=upsampled(kind, target))
    for target in (100_000, 300_000)
    for kind in ("diverse", "unique")
)
MIXTURES = (NONE, DIVERSE_100K, UNIQUE_100K, DIVERSE_300K, UNIQUE_300K)
TRAINED = (lora, lambda recipe: lora_moe("plain", recipe))


def both(*recipes: Recipe) -> tuple[Arm, ...]:
    """LoRA and LoRA-MoE on each mixture."""
    return tuple(method(recipe) for method in TRAINED for recipe in recipes)


def balance(target: str = "average") -> Contrast:
    return difference(both(DIVERSE_100K), both(NONE), target)


def gain(discipline: str) -> Hypothesis:
    return secondary(
        name=f"{discipline}_gains",
        claim=f"{discipline} gains from diverse upsampling to 100K",
        estimand=balance(discipline),
        alternative="greater",
    )


def no_loss(discipline: str) -> Hypothesis:
    return secondary(
        name=f"{discipline}_keeps",
        claim=f"{discipline}, not upsampled, loses less than one point",
        estimand=difference(both(NONE), both(DIVERSE_100K), discipline),
        alternative="no_gain",
        margin=1.0,
    )


LAW = Law(
    name="balance_then_diversity",
    title="Balance-then-Diversity",
    claim=(
        "Upsampling scarce disciplines lifts the average; diverse duplicates beat duplicates of "
        "samples with unique tokens, more duplicates add nothing, and accuracy follows the "
        "n-gram diversity of the mixture."
    ),
    source="Wang et al., section 4.1; Table 5, Figure 3",
    base=BASE,
    tables=("table_5",),
    figures=("figure_3",),
    hypotheses=(
        primary(
            name="balance",
            claim="diverse upsampling to 100K beats none, LoRA and LoRA-MoE",
            estimand=balance(),
            alternative="greater",
        ),
        primary(
            name="diversity",
            claim="diverse beats unique upsampling, both sizes, LoRA and LoRA-MoE",
            estimand=difference(both(DIVERSE_100K, DIVERSE_300K), both(UNIQUE_100K, UNIQUE_300K)),
            alternative="greater",
        ),
        primary(
            name="saturation",
            claim="upsampling to 300K gains less than one point over 100K, LoRA and LoRA-MoE",
            estimand=difference(both(DIVERSE_300K), both(DIVERSE_100K)),
            alternative="no_gain",
            margin=1.0,
        ),
        primary(
            name="link",
            claim="accuracy ranks the five mixtures like their n-gram diversity",
            estimand=RankCorrelation(
                groups=tuple(tuple(method(m) for m in MIXTURES) for method in TRAINED)
            ),
            alternative="greater",
            sesoi=0.3,
        ),
        secondary(
            name="balance_composition",
            claim="diverse upsampling to 100K beats none, LoRA composition",
            estimand=difference([lora_comp(DIVERSE_100K)], [lora_comp(NONE)]),
            alternative="greater",
        ),
        secondary(
            name="diversity_composition",
            claim="diverse beats unique upsampling, both sizes, LoRA composition",
            estimand=difference(
                [lora_comp(DIVERSE_100K), lora_comp(DIVERSE_300K)],
                [lora_comp(UNIQUE_100K), lora_comp(UNIQUE_300K)],
            ),
            alternative="greater",
        ),
        secondary(
            name="saturation_composition",
            claim="upsampling to 300K gains less than one point over 100K, LoRA composition",
            estimand=difference([lora_comp(DIVERSE_300K)], [lora_comp(DIVERSE_100K)]),
            alternative="no_gain",
            margin=1.0,
        ),
        secondary(
            name="link_composition",
            claim="accuracy of LoRA composition ranks the mixtures like their n-gram diversity",
            estimand=RankCorrelation(groups=(tuple(lora_comp(m) for m in MIXTURES),)),
            alternative="greater",
            sesoi=0.3,
        ),
        gain("biology"),
        gain("geography"),
        no_loss("math"),
        no_loss("chemistry"),
        no_loss("medicine"),
    ),
)
