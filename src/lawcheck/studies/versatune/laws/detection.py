"""What a base model emits says in which proportions it was pretrained."""

from lawcheck.declare.design import Law, Measure
from lawcheck.studies.versatune.arms import UNTRAINED, primary, secondary

# Even shares would miss by 0.32 on either base.
FAR = 0.10
# What the paper calls the variance of its detection.
PRINTED = 0.01874


def of_bases(metric: str, against: float) -> Measure:
    """Mean over both bases, less a constant."""
    weights = tuple((base, 1 / len(UNTRAINED)) for base in UNTRAINED)
    return Measure(metric=metric, weights=weights, target="base_model", against=against)


LAW = Law(
    name="detection",
    title="Detection of domain knowledge",
    claim=(
        "The shares of domains in texts that a base model emits from nothing are those that it "
        "was pretrained on, and hardly vary from one sample to the next."
    ),
    source="VersaTune, Algorithm 1 and section 3.2; Figure 5",
    base=UNTRAINED[0],
    shown=UNTRAINED,
    built_bases=True,
    figures=("versatune_figure_5",),
    hypotheses=(
        primary(
            name="accurate",
            claim="the total variation between detected and true shares is below 0.10",
            estimand=of_bases("total_variation", FAR),
            alternative="less",
            sesoi=0.02,
        ),
        secondary(
            name="stable",
            claim="the largest domain's share scatters less over iterations than printed",
            estimand=of_bases("detected_deviation", PRINTED),
            alternative="less",
            sesoi=0.005,
        ),
    ),
)
