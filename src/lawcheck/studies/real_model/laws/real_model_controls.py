"""Controls, judged before any contrast: what must differ does, what must not does not."""

from lawcheck.declare.design import Check, Hypothesis, Law, beats, difference
from lawcheck.studies.real_model.arms import (
    AGAIN,
    BASE,
    DISCIPLINE_LORA,
    FOREIGN,
    LETTERED,
    SHARED_A,
)

# Bits. One of four options is told from the others by two bits; a twentieth of that.
TOLD = 0.1
# Bits per byte, of a gold answer. One of four options in one letter costs two; a fortieth of that.
LIKELIER = 0.05
DISCIPLINES = ("math", *LETTERED)

LAW = Law(
    name="real_model_controls",
    title="Controls on a real model",
    claim=(
        "Adapters gain on the discipline that they were trained on, foreign prompts teach nothing "
        "about a question, and the same training in another order comes to the same."
    ),
    source="docs/smollm2.md",
    base=BASE,
    hypotheses=(
        Hypothesis(
            name="own_discipline",
            role="primary",
            claim="discipline LoRA makes gold answers of its own discipline likelier, in each",
            estimand=difference([DISCIPLINE_LORA], [BASE], DISCIPLINES, metric="bits_per_byte"),
            conjuncts=tuple(
                (d, difference([DISCIPLINE_LORA], [BASE], d, metric="bits_per_byte"))
                for d in DISCIPLINES
            ),
            alternative="less",
            sesoi=LIKELIER,
        ),
        Hypothesis(
            name="foreign_prompts",
            role="primary",
            claim="learning under foreign prompts tells less than 0.1 bits about the question",
            estimand=difference([FOREIGN], [BASE], LETTERED, metric="information"),
            alternative="no_gain",
            sesoi=TOLD,
            margin=TOLD,
            # It has learned something: lengths and letters. Own prompts tell more than it may.
            checks=(
                *beats([FOREIGN], BASE, metric="bits_per_byte"),
                Check(
                    name="own_prompts_tell",
                    kind="assay",
                    claim="learning under own prompts tells more than 0.1 bits about the question",
                    estimand=difference([DISCIPLINE_LORA], [BASE], LETTERED, "information"),
                    above=TOLD,
                ),
            ),
        ),
        Hypothesis(
            name="same_again",
            role="primary",
            claim="the same rows in another order give the same likelihoods, within 0.1",
            estimand=difference([AGAIN], [SHARED_A], metric="bits_per_byte"),
            alternative="equivalent",
            sesoi=2 * LIKELIER,
            margin=2 * LIKELIER,
            # Two arms that learned less than that would be equal for nothing.
            checks=beats([AGAIN, SHARED_A], BASE, above=2 * LIKELIER, metric="bits_per_byte"),
        ),
    ),
)
