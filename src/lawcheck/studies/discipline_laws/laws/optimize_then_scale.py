"""Optimize-then-Scale: more trainable parameters gain little; a better design comes first."""

from lawcheck.declare.design import Arm, Contrast, Law, Recipe, beats, difference
from lawcheck.studies.discipline_laws.arms import BASE, lora, lora_moe, primary

RECIPES = (Recipe(fraction=0.7), Recipe(fraction=1.0))
RANKS, EXPERTS = (5, 10), (10, 20)
LORA = tuple(lora(r) for r in RECIPES)
WIDER = {k: tuple(lora(r, rank_multiple=k) for r in RECIPES) for k in RANKS}
WIDER_LORA = tuple(a for arms in WIDER.values() for a in arms)
PLAIN = tuple(lora_moe("plain", r) for r in RECIPES)
LARGER = {k: tuple(lora_moe("plain", r, experts=k) for r in RECIPES) for k in EXPERTS}
MORE_EXPERTS = tuple(a for arms in LARGER.values() for a in arms)
SHARED_A = tuple(lora_moe("shared_a", r) for r in RECIPES)

RANK = difference(WIDER_LORA, LORA)
MORE = difference(MORE_EXPERTS, PLAIN)
SHARING = difference(SHARED_A, PLAIN)
# One case a way of scaling: a broken arm cannot lend its failure to a working one.
BY_RANK = {f"rank_{k}x": difference(arms, LORA) for k, arms in WIDER.items()}
BY_EXPERTS = {f"experts_{k}": difference(arms, PLAIN) for k, arms in LARGER.items()}


def minus_mean_of(contrast: Contrast, others: tuple[Contrast, ...]) -> Contrast:
    """A contrast less the mean of others, arm by arm."""
    weights: dict[Arm, float] = dict(contrast.weights)
    for other in others:
        for arm, weight in other.weights:
            weights[arm] = weights.get(arm, 0.0) - weight / len(others)
    return Contrast(weights=tuple((a, w) for a, w in weights.items() if w != 0))


LAW = Law(
    name="optimize_then_scale",
    title="Optimize-then-Scale",
    claim=(
        "Five or ten times the rank, or two or four times the experts, gain less than one point; "
        "a better design of the same size gains more than scaling."
    ),
    source="Wang et al., section 4.3; Table 7, Figure 4 a and b",
    base=BASE,
    tables=("table_7",),
    figures=("figure_4a", "figure_4b"),
    hypotheses=(
        primary(
            name="rank",
            claim="5x and 10x the LoRA rank gains less than one point, data 70 and 100 %",
            estimand=RANK,
            alternative="no_gain",
            margin=1.0,
            checks=beats((*WIDER_LORA, *LORA), BASE),
            conjuncts=tuple(BY_RANK.items()),
        ),
        primary(
            name="experts",
            claim="10 and 20 experts gain less than one point over 5, data 70 and 100 %",
            estimand=MORE,
            alternative="no_gain",
            margin=1.0,
            checks=beats((*MORE_EXPERTS, *PLAIN), BASE),
            conjuncts=tuple(BY_EXPERTS.items()),
        ),
        primary(
            name="design_first",
            claim="sharing A gains more than each way of scaling rank and experts",
            estimand=minus_mean_of(SHARING, (RANK, MORE)),
            alternative="greater",
            checks=beats((*SHARED_A, *PLAIN, *LORA, *WIDER_LORA, *MORE_EXPERTS), BASE),
            conjuncts=tuple(
                (name, minus_mean_of(SHARING, (gain,)))
                for name, gain in (BY_RANK | BY_EXPERTS).items()
            ),
        ),
    ),
)
