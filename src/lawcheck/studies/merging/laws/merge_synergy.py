"""Merge synergy: a merge scores above both of its parents, not only above their mean."""

from lawcheck.declare.design import Contrast, Law, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.merging.arms import (
    BASE,
    DOMAINS,
    FROM,
    INSTRUCT,
    MERGED,
    STAGES,
    STARTS,
    TUNED,
    learned,
    merges,
    on_domain,
    over_mean,
    primary,
    replicated,
    secondary,
    stages_of,
)

# Without new knowledge in one parent and instructions in the other there is nothing to join.
CHECKS = (
    learned("tuned_learn", FROM["instruct"], INSTRUCT),
    learned("instruct_follows", [INSTRUCT], BASE, "general"),
)

# What a stage leaves may be worse than the partner or better. A merge that only equals its better
# parent would beat the mean of all adapted models at the one kind, and the partner at the other.
AT_STAGES = {stage: stages_of(stage) for stage in STAGES}


def named(stage: str) -> str:
    return stage.replace(".", "_")


LAW = Law(
    name="merge_synergy",
    title="Merge synergy",
    claim=(
        "Merging an adapted model with its instruction-tuned partner gives more than the mean of "
        "both, than the adapted model and than the partner."
    ),
    source="Lu et al., section 2.1; Figures 4, 5 and 7",
    base=BASE,
    tables=(
        "merging_table_2",
        "merging_table_4",
    ),
    figures=(
        "merging_figure_4",
        "merging_figure_7",
        "merging_figure_8",
        "merging_figure_10",
        "merging_figure_13",
    ),
    hypotheses=(
        primary(
            name="over_mean",
            claim="merges score above the mean of their parents, all stages and starts pooled",
            estimand=Contrast(weights=over_mean(TUNED), target=DOMAINS),
            alternative="greater",
            checks=CHECKS,
        ),
        primary(
            name="over_tuned",
            claim="merges score above the adapted models that they are made from, at every stage",
            estimand=on_domain(MERGED, TUNED),
            alternative="greater",
            checks=CHECKS,
            conjuncts=tuple(
                (named(stage), on_domain(merges(models), models))
                for stage, models in AT_STAGES.items()
            ),
        ),
        primary(
            name="over_instruct",
            claim="merges score above the instruction-tuned partner, at every stage",
            estimand=on_domain(MERGED, [INSTRUCT]),
            alternative="greater",
            checks=CHECKS,
            conjuncts=tuple(
                (named(stage), on_domain(merges(models), [INSTRUCT]))
                for stage, models in AT_STAGES.items()
            ),
        ),
        secondary(
            name="over_self",
            claim=(
                "merging CPT-SFT with the partner gives more than merging it with its own replica"
            ),
            estimand=on_domain(
                merges(stages_of("cpt.sft")), [replicated(start) for start in STARTS]
            ),
            alternative="greater",
            checks=CHECKS,
        ),
        secondary(
            name="keeps_general",
            claim="merges follow general instructions better than the adapted models",
            estimand=difference(MERGED, TUNED, "general"),
            alternative="greater",
            sesoi=2.0,
            checks=(learned("instruct_follows", [INSTRUCT], BASE, "general"),),
        ),
        secondary(
            name="gap_lowers",
            claim="the further the parents' scores lie apart, the lower the merge's score",
            # The gap is of one half of the items and the score of the other: improvements and gaps
            # that share a parent's score would be correlated by arithmetic.
            estimand=RankCorrelation(
                groups=tuple(merges(FROM[start]) for start in STARTS), x="parent_gap", y=DOMAINS
            ),
            alternative="less",
            sesoi=0.3,
        ),
    ),
)
