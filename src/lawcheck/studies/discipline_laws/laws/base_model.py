"""Base model: discipline LoRA lifts every family, and the preferred family is ahead and gains most.

The scale says which models the families are; `default` is the one that all other laws use.
"""

from lawcheck.declare.design import Arm, Contrast, Law, Weights, difference
from lawcheck.studies.discipline_laws.arms import discipline_lora, primary

FAMILIES = ("default", "second_family", "third_family")
BEFORE = tuple(Arm(method="base", base=family) for family in FAMILIES)
AFTER = tuple(discipline_lora(base=family) for family in FAMILIES)


def gain_of_first() -> Contrast:
    """Gain of the first family minus the mean gain of the others."""
    first = difference(AFTER[:1], AFTER[1:]).weights
    started: Weights = tuple((a, -w) for a, w in difference(BEFORE[:1], BEFORE[1:]).weights)
    return Contrast(weights=first + started)


LAW = Law(
    name="base_model",
    title="Base model",
    claim=(
        "Discipline LoRA lifts every family of base models; the preferred family starts ahead "
        "and gains most."
    ),
    source="Wang et al., appendix C; Figures 1 B and 6",
    base=BEFORE[0],
    figures=("figure_1b", "figure_6"),
    hypotheses=(
        primary(
            name="gain",
            claim="discipline LoRA lifts the average of every family",
            estimand=difference(AFTER, BEFORE),
            alternative="greater",
            conjuncts=tuple(
                (family, difference([after], [before]))
                for family, before, after in zip(FAMILIES, BEFORE, AFTER, strict=True)
            ),
        ),
        primary(
            name="starts_ahead",
            claim="before fine-tuning, the preferred family scores above the others",
            estimand=difference(BEFORE[:1], BEFORE[1:]),
            alternative="greater",
            needs_pretrained=True,
        ),
        primary(
            name="gains_most",
            claim="the preferred family gains more from discipline LoRA than the others",
            estimand=gain_of_first(),
            alternative="greater",
            needs_pretrained=True,
        ),
    ),
)
