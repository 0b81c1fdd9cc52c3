"""SLERP geometry: the arc between two models is a better place for a merge than the line."""

from lawcheck.declare.design import Check, Law, Measure, pooled
from lawcheck.declare.metrics import ARC
from lawcheck.studies.merging.arms import (
    BASE,
    MERGED,
    TUNED,
    learned,
    merges,
    on_domain,
    primary,
    secondary,
)

TWINS = merges(TUNED, "lerp")
# Where almost all tensors of the parents are nearly parallel, SLERP is LERP.
CURVES = Check(
    name="tensors_on_arcs",
    kind="manipulation",
    claim="more than a tenth of the tensors of SLERP merges lie on the arc",
    estimand=Measure(metric=ARC, weights=pooled(MERGED, TWINS), target="merge"),
    above=0.1,
)
MARGIN = 0.5


def checks(above: float) -> tuple[Check, ...]:
    """above: points that both kinds of merges have learned; what is at chance is equal anyway."""
    return (
        learned("arcs_learn", MERGED, BASE, above=above),
        learned("lines_learn", TWINS, BASE, above=above),
        CURVES,
    )


LAW = Law(
    name="slerp_geometry",
    title="SLERP geometry",
    claim="Merges along the arc score above merges along the line, at the same schedule.",
    source="Lu et al., sections 2 and 2.1; Figure 3",
    base=BASE,
    figures=("merging_figure_3",),
    hypotheses=(
        primary(
            name="curved",
            claim="SLERP merges score above their LERP twins",
            estimand=on_domain(MERGED, TWINS),
            alternative="greater",
            sesoi=MARGIN,
            checks=checks(0.0),
        ),
        secondary(
            name="same",
            claim="SLERP merges equal their LERP twins within half a point",
            estimand=on_domain(MERGED, TWINS),
            alternative="equivalent",
            margin=MARGIN,
            sesoi=MARGIN,
            checks=checks(MARGIN),
        ),
    ),
)
