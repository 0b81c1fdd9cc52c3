"""What a base model emits says in which proportions it was pretrained."""

from lawcheck.declare.design import Law, Measure
from lawcheck.studies.versatune.arms import UNTRAINED, primary

# Even shares would miss by 0.32 on either base.
FAR = 0.10


def of_bases(metric: str, against: float) -> Measure:
    """Mean over both bases, less a constant."""
    weights = tuple((base, 1 / len(UNTRAINED)) for base in UNTRAINED)
    return Measure(metric=metric, weights=weights, target="base_model", against=against)


LAW = Law(
    name="detection",
    title="Detection of domain knowledge",
    claim=(
        "The shares of domains in texts that a base model emits from nothing are those that it "
        "was pretrained on."
    ),
    source="VersaTune, Algorithm 1 and section 3.2; Figure 5",
    base=UNTRAINED[0],
    shown=UNTRAINED,
    built_bases=True,
    figures=("versatune_figure_5",),
    # How far shares scatter from one sample to the next is no part: texts are independent draws, so
    # that it follows from their number. Of 1,000 the SD is at most 0.016; the paper prints 0.01874.
    hypotheses=(
        primary(
            name="accurate",
            claim="the total variation between detected and true shares is below 0.10",
            estimand=of_bases("total_variation", FAR),
            alternative="less",
            sesoi=0.02,
        ),
    ),
)
