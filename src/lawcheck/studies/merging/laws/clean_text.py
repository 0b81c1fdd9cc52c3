"""Clean text: more rows with broken texts leave the merge worse than fewer clean ones."""

from lawcheck.declare.design import Law
from lawcheck.studies.merging.arms import (
    BASE,
    CPT,
    EXTENDED,
    INSTRUCT,
    LARGER,
    learned,
    merged,
    on_domain,
    primary,
    secondary,
    tuned,
)

CLEAN, NOISY, LARGER_CLEAN = (tuned("instruct", "cpt", cpt=c) for c in (CPT, EXTENDED, LARGER))
CHECKS = (learned("clean_learns", [merged(CLEAN)], BASE),)

LAW = Law(
    name="clean_text",
    title="Clean text",
    claim="Twice the rows, half of them with broken texts, give a worse merge than the clean half.",
    source="Lu et al., section 2.2 and 4.1.3; Figure 9",
    base=BASE,
    shown=(INSTRUCT, CLEAN, NOISY, LARGER_CLEAN),
    figures=("merging_figure_9",),
    hypotheses=(
        primary(
            name="noise_hurts",
            claim="the merge of the extended corpus scores below the merge of its clean half",
            estimand=on_domain([merged(NOISY)], [merged(CLEAN)]),
            alternative="less",
            checks=CHECKS,
        ),
        secondary(
            name="shuffling_hurts",
            claim="the same rows with their words in order give a better merge",
            estimand=on_domain([merged(NOISY)], [merged(LARGER_CLEAN)]),
            alternative="less",
            checks=(learned("larger_learns", [merged(LARGER_CLEAN)], BASE),),
        ),
    ),
)
