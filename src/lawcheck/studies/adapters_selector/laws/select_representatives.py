"""A selector needs few rows a task, if they represent it; how they are chosen matters."""

from lawcheck.declare.design import Contrast, Law, Measure, difference, pooled
from lawcheck.declare.estimands import Pooled
from lawcheck.studies.adapters_selector.arms import (
    BASE,
    DISTANCES,
    LARGEST,
    MIDDLE,
    RANDOM,
    SIX,
    SIZES,
    SMALLEST,
    TWELVE,
    Distance,
    answers,
    as_many_steps,
    grid,
    primary,
    secondary,
    selector,
)

BOTH = (SIX, TWELVE)
# Distances by which the paper compares its two embeddings.
COMPARED: tuple[Distance, ...] = ("L2", "COS")


def sizes(more: int, fewer: int) -> Pooled:
    """One size against another at equal epochs, six and twelve tasks."""
    return Pooled(parts=tuple(difference(grid(t, more), grid(t, fewer), t) for t in BOTH))


def of_embeddings() -> Contrast:
    layer, outside = (
        [selector(SIX, k, distance, embedding) for k in SIZES for distance in COMPARED]
        for embedding in ("inputs", "tfidf_svd")
    )
    return difference(layer, outside, SIX)


KEPT = Measure(
    metric="rows_selected",
    weights=pooled([selector(TWELVE, distance="IP")], [selector(TWELVE, distance="L2")]),
    target="all",
)

LAW = Law(
    name="select_representatives",
    title="Rows that represent a task",
    claim=(
        "More selected rows a task make a better selector up to a middle size, and not because "
        "training takes more steps; the model's own input embeddings select as well as any."
    ),
    source="Tian et al., sections 3.3 and 5.1; Tables 1 and 2, Figure 2",
    base=BASE,
    tables=("selector_table_2",),
    figures=("selector_figure_2",),
    hypotheses=(
        primary(
            name="more_helps",
            claim="the largest selections beat the smallest at equal epochs",
            estimand=sizes(LARGEST, SMALLEST),
            alternative="greater",
            conjuncts=tuple(
                (name, difference(grid(t, LARGEST), grid(t, SMALLEST), t))
                for name, t in zip(("six_tasks", "twelve_tasks"), BOTH, strict=True)
            ),
            checks=answers([selector(TWELVE)], TWELVE),
        ),
        primary(
            name="not_mere_steps",
            claim="the largest selections beat the smallest at equal optimizer steps",
            estimand=difference(
                as_many_steps(TWELVE, LARGEST), as_many_steps(TWELVE, SMALLEST), TWELVE
            ),
            alternative="greater",
            checks=answers([selector(TWELVE)], TWELVE),
        ),
        primary(
            name="saturates",
            claim="the largest selections gain less than one point over the middle ones",
            estimand=sizes(LARGEST, MIDDLE),
            alternative="no_gain",
            margin=1.0,
            checks=answers([selector(TWELVE, MIDDLE), selector(TWELVE)], TWELVE),
        ),
        primary(
            name="embedding_layer",
            claim="the base's input embeddings select better rows than an outside embedder",
            estimand=of_embeddings(),
            alternative="greater",
            sesoi=0.5,
            checks=answers([selector(SIX)], SIX),
        ),
        secondary(
            name="clusters_beat_random",
            claim="rows nearest to centres beat as many random ones",
            estimand=difference([selector(TWELVE)], [RANDOM], TWELVE),
            alternative="greater",
            checks=answers([selector(TWELVE)], TWELVE),
        ),
        secondary(
            name="inner_product_keeps_fewer",
            claim="over all tasks the inner product keeps fewer rows than L2",
            estimand=KEPT,
            alternative="less",
            sesoi=float(len(TWELVE)),
        ),
        secondary(
            name="distance",
            claim="L2 and cosine select equally good rows",
            estimand=difference(
                [selector(TWELVE, k, "L2") for k in SIZES],
                [selector(TWELVE, k, "COS") for k in SIZES],
                TWELVE,
            ),
            alternative="equivalent",
            margin=1.0,
            checks=answers([selector(TWELVE, LARGEST, d) for d in DISTANCES[:2]], TWELVE),
        ),
    ),
)
