"""CPT epochs: merges of a pretrained partner gain with every epoch, those of the base do not."""

from lawcheck.declare.design import Check, Contrast, Law
from lawcheck.studies.merging.arms import (
    BASE,
    DOMAINS,
    EPOCHS,
    INSTRUCT,
    after,
    learned,
    merged,
    primary,
)

# Points an epoch.
MARGIN = 0.25
MERGES = {s: [merged(after(s, e)) for e in range(1, EPOCHS + 1)] for s in ("base", "instruct")}


def trend(start: str) -> Contrast:
    """Least-squares slope over the epochs 1 to 5, in points an epoch."""
    centred = [e - (EPOCHS - 1) / 2 for e in range(EPOCHS)]
    squares = sum(c * c for c in centred)
    weights = ((a, c / squares) for a, c in zip(MERGES[start], centred, strict=True) if c)
    return Contrast(weights=tuple(weights), target=DOMAINS)


LAW = Law(
    name="cpt_epochs",
    title="CPT epochs",
    claim=(
        "Merges of the continued partner gain with every epoch of continued pretraining; merges "
        "of the continued base gain nothing after the first."
    ),
    source="Lu et al., section 2; Figure 6",
    base=BASE,
    shown=(INSTRUCT, *(a for merges in MERGES.values() for a in merges)),
    figures=("merging_figure_6",),
    hypotheses=(
        primary(
            name="instruct_gains",
            claim="merges of the continued partner gain with every epoch, linear trend",
            estimand=trend("instruct"),
            alternative="greater",
            sesoi=MARGIN,
            checks=(learned("merge_learns", MERGES["instruct"][-1:], BASE),),
        ),
        primary(
            name="base_does_not",
            claim="merges of the continued base gain less than a quarter point an epoch",
            estimand=trend("base"),
            alternative="no_gain",
            margin=MARGIN,
            sesoi=MARGIN,
            checks=(
                learned("merge_learns", MERGES["base"][-1:], BASE),
                # Else both trends could be one and the same small gain.
                Check(
                    name="trend_can_show",
                    kind="assay",
                    claim="merges of the continued partner gain more than that an epoch",
                    estimand=trend("instruct"),
                    above=MARGIN,
                ),
            ),
        ),
    ),
)
