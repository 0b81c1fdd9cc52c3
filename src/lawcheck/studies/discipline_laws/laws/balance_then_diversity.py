"""Balance-then-Diversity: upsample scarce disciplines, and keep the samples diverse."""

from lawcheck.declare.design import (
    Arm,
    Check,
    Contrast,
    Hypothesis,
    Law,
    Measure,
    Recipe,
    beats,
    difference,
    pooled,
)
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    SCARCE,
    discipline_lora,
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


# Upsampling has something to act on only where a discipline's own samples teach it.
LEARNABLE = tuple(
    Check(
        name=f"{name}_is_learnable",
        kind="assay",
        claim=f"discipline LoRA gains more than 3 points on {name} alone",
        estimand=difference([discipline_lora()], [BASE], name),
        above=3.0,
    )
    for name in SCARCE
)


def richer(name: str, more: tuple[Arm, ...], less: tuple[Arm, ...]) -> Check:
    """Duplicates alone make no text more diverse: they only make it longer."""
    return Check(
        name=name,
        kind="manipulation",
        claim="the mixtures called more diverse hold more distinct n-grams",
        estimand=Measure(
            metric="distinct_count", weights=pooled(more, less), target="mixture", counted=True
        ),
    )


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
            checks=LEARNABLE,
        ),
        primary(
            name="diversity",
            claim="diverse beats unique upsampling, both sizes, LoRA and LoRA-MoE",
            estimand=difference(both(DIVERSE_100K, DIVERSE_300K), both(UNIQUE_100K, UNIQUE_300K)),
            alternative="greater",
            checks=(
                richer(
                    "diverse_is_richer",
                    both(DIVERSE_100K, DIVERSE_300K),
                    both(UNIQUE_100K, UNIQUE_300K),
                ),
                *LEARNABLE,
            ),
        ),
        primary(
            name="saturation",
            claim="upsampling to 300K gains less than one point over 100K, LoRA and LoRA-MoE",
            estimand=difference(both(DIVERSE_300K), both(DIVERSE_100K)),
            alternative="no_gain",
            margin=1.0,
            checks=(*beats(both(DIVERSE_300K, DIVERSE_100K), BASE), *LEARNABLE),
        ),
        primary(
            name="link",
            claim="accuracy ranks the five mixtures like their n-gram diversity",
            estimand=RankCorrelation(
                groups=tuple(tuple(method(m) for m in MIXTURES) for method in TRAINED)
            ),
            alternative="greater",
            sesoi=0.3,
            checks=(richer("diverse_is_richest", both(DIVERSE_300K), both(NONE)),),
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
