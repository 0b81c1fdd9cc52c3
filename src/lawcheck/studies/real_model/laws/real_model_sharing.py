"""The headline law's contrasts on part of the rows, by likelihood and, beside it, by accuracy."""

from collections.abc import Iterator

from lawcheck.declare.design import Arm, Hypothesis, Law, beats, difference
from lawcheck.studies.real_model.arms import (
    BASE,
    DISCIPLINE_LORA,
    FULL,
    LETTERED,
    PLAIN,
    SHARED_A,
    TUNED_MOE,
)

# Bits per byte of the gold answer. One of four options in one letter costs two bits; a gain of 1
# point of accuracy from 25 % on, in the letter's probability, is 0.06 of them.
LIKELIER = 0.05
# Probability of the right option: one point, as for accuracy.
LIKELY = 0.01


def read_three_ways(name: str, claim: str, better: Arm, worse: Arm) -> Iterator[Hypothesis]:
    """A contrast by bits per byte; the right option's probability and accuracy stand beside it."""
    checks = beats([better, worse], BASE, metric="bits_per_byte")
    yield Hypothesis(
        name=name,
        role="primary",
        claim=f"{claim}: gold answers are likelier",
        estimand=difference([better], [worse], metric="bits_per_byte"),
        alternative="less",
        sesoi=LIKELIER,
        checks=checks,
    )
    yield Hypothesis(
        name=f"{name}_options",
        role="secondary",
        claim=f"{claim}: the right option is likelier among the options",
        estimand=difference([better], [worse], LETTERED, metric="p_correct"),
        alternative="greater",
        sesoi=LIKELY,
    )
    yield Hypothesis(
        name=f"{name}_accuracy",
        role="secondary",
        claim=f"{claim}: more answers are right",
        estimand=difference([better], [worse]),
        alternative="greater",
        sesoi=1.0,
    )


LAW = Law(
    name="real_model_sharing",
    title="Sharing A on a real model",
    claim=(
        "A LoRA-MoE that shares A makes gold answers likelier than the plain mixture, and the "
        "tuned recipe likelier than the original one."
    ),
    source="Wang et al., section 4.4 and 5, on a quarter of the rows; docs/smollm2.md",
    base=BASE,
    hypotheses=(
        *read_three_ways("share", "sharing A beats the plain mixture", SHARED_A, PLAIN),
        *read_three_ways(
            "recipe", "the tuned recipe beats the original data, sharing A", TUNED_MOE, SHARED_A
        ),
        Hypothesis(
            name="mixing_costs",
            role="secondary",
            claim="five adapters of one discipline each beat the plain mixture on all of them",
            estimand=difference([DISCIPLINE_LORA], [PLAIN], metric="bits_per_byte"),
            alternative="less",
            sesoi=LIKELIER,
        ),
        Hypothesis(
            name="full_beats_mixture",
            role="secondary",
            claim="full fine-tuning beats the plain mixture",
            estimand=difference([FULL], [PLAIN], metric="bits_per_byte"),
            alternative="less",
            sesoi=LIKELIER,
        ),
        Hypothesis(
            name="instructions_kept",
            role="secondary",
            claim="the tuned recipe keeps instruction following better than the original data",
            estimand=difference([TUNED_MOE], [SHARED_A], target="general"),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
