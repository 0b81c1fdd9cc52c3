"""Merging needs scale: synergy grows with the size of the model, and small models lose by it."""

from lawcheck.declare.design import Contrast, Law, Weights
from lawcheck.studies.merging.arms import (
    DOMAINS,
    LADDER,
    instruct,
    learned,
    merged,
    on_domain,
    over_mean,
    primary,
    tuned,
    untrained,
)

RUNGS = {b: [tuned("instruct", s, b) for s in ("cpt.sft", "cpt.sft.dpo")] for b in LADDER}
SMALL, WIDE = RUNGS["small"], RUNGS["wide"]


def minus(one: Weights, other: Weights) -> Contrast:
    return Contrast(weights=(*one, *((a, -w) for a, w in other)), target=DOMAINS)


LAW = Law(
    name="merge_needs_scale",
    title="Merging needs scale",
    claim=(
        "What a merge gains over the mean of its parents grows with the size of the model; a small "
        "model is worse after merging than before."
    ),
    source="Lu et al., section 2.3; Figures 7 C, 12 and 13",
    base=untrained("small"),
    shown=tuple(
        a
        for b, models in RUNGS.items()
        for a in (untrained(b), instruct(b), *models, *map(merged, models))
    ),
    figures=(
        "merging_figure_12",
        "merging_figure_17",
    ),
    hypotheses=(
        primary(
            name="threshold",
            claim="a merge gains over the mean of its parents at the largest size, and more there",
            estimand=minus(over_mean(WIDE), over_mean(SMALL)),
            alternative="greater",
            # A smaller loss at the largest size is no gain.
            conjuncts=(
                ("wide_gains", Contrast(weights=over_mean(WIDE), target=DOMAINS)),
                ("more_than_small", minus(over_mean(WIDE), over_mean(SMALL))),
            ),
            checks=(
                learned("small_learns", SMALL, untrained("small")),
                learned("wide_learns", WIDE, untrained("wide")),
            ),
        ),
        primary(
            name="small_hurts",
            claim="at the smallest size the merge of CPT-SFT-DPO scores below CPT-SFT-DPO",
            estimand=on_domain([merged(SMALL[1])], SMALL[1:]),
            alternative="less",
            checks=(learned("small_learns", SMALL[1:], untrained("small")),),
        ),
    ),
)
