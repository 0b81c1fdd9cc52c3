"""Kinds of low-rank adapters as selectors: PiSSA is behind, others depend on the rank."""

from lawcheck.declare.design import Arm, Law, difference
from lawcheck.studies.adapters_selector.arms import (
    ALPHAS,
    BASE,
    CELLS,
    RANKS,
    SIX,
    answers,
    primary,
    secondary,
)


def of(init: str, *ranks: int) -> list[Arm]:
    """An initialisation at these ranks, by every scaling factor."""
    return [CELLS[init, rank, alpha] for rank in ranks for alpha in ALPHAS]


LAW = Law(
    name="selector_adapters",
    title="Kinds of adapters for a selector",
    claim=(
        "As selectors PiSSA falls behind LoRA; rank-stabilised LoRA leads at rank 4, DoRA at 8."
    ),
    source="Tian et al., section 5.2; Figure 4",
    base=BASE,
    # For Figure 4.
    shown=tuple(CELLS.values()),
    figures=("selector_figure_4",),
    hypotheses=(
        primary(
            name="pissa_behind",
            claim="PiSSA names fewer tasks than LoRA, over ranks and scaling factors",
            estimand=difference(of("pissa", *RANKS), of("lora", *RANKS), SIX),
            alternative="less",
            checks=answers(of("lora", *RANKS), SIX),
        ),
        secondary(
            name="rslora_at_4",
            claim="rank-stabilised LoRA names more tasks than LoRA at rank 4",
            estimand=difference(of("rslora", 4), of("lora", 4), SIX),
            alternative="greater",
            checks=answers(of("rslora", 4), SIX),
        ),
        secondary(
            name="dora_at_8",
            claim="DoRA names more tasks than LoRA at rank 8",
            estimand=difference(of("dora", 8), of("lora", 8), SIX),
            alternative="greater",
            checks=answers(of("dora", 8), SIX),
        ),
    ),
)
