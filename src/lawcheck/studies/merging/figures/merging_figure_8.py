"""Figure 8 of Lu et al.: clusters of strategies, and whether another seed finds them again."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.judging.outcomes import minus
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import Look, legend_handle, light_grid, panel_title
from lawcheck.show.style import BLUE, GREY, ORANGE, Picture
from lawcheck.studies.merging.levels import (
    Levels,
    agreement,
    k_means,
    measured,
    standardised,
    ward,
    ward_labels,
)
from lawcheck.studies.merging.panels import canvas, finished, head, named
from lawcheck.studies.merging.strategies import merges

FIGURE = Picture(
    name="merging_figure_8",
    law="merge_synergy",
    title="Figure 8. Clusters of strategies",
    caption=(
        "Descriptive. a: K-means with two clusters of the merges, by expected score (mean of the "
        "parents) and actual score, each standardised over strategies; means over seeds. Numbers "
        "are the rows of b: Ward's hierarchical clustering of the same points. Below: how well "
        "the clusters of two single seeds agree (adjusted Rand index: 1 the same, 0 as chance)."
    ),
)
LOOKS = (Look(ORANGE, "s"), Look(BLUE, "o"))
FORCED = (
    "What arithmetic forces: K-means with two clusters finds two in any points, and scores on a "
    "line are cut in the middle. No verdict rests on this figure."
)


def build(context: RenderContext) -> Figure:
    from scipy.cluster.hierarchy import dendrogram

    levels = measured(context, FIGURE.name)
    points = standardised(levels.mean())
    labels = k_means(points)
    tree = ward(points)
    figure = canvas(len(points), extra=1.65)
    left, right = figure.subplots(1, 2)
    drawn = dendrogram(
        tree, ax=right, orientation="right", color_threshold=0, above_threshold_color=GREY
    )
    order = [int(k) for k in drawn["leaves"]][::-1]
    place = {k: n for n, k in enumerate(order, start=1)}
    for k, (x, y) in enumerate(points):
        look = LOOKS[labels[k]]
        left.plot(x, y, marker=look.marker, color=look.color, markersize=9, linestyle="none")
        color = ("black", "white")[labels[k]]
        left.annotate(str(place[k]), (x, y), ha="center", va="center", fontsize=5.5, color=color)
    _named_rows(right, levels, order, place, labels.tolist())
    left.set_xlabel("Expected (standardised)")
    left.set_ylabel("Actual (standardised)")
    left.margins(0.12)
    light_grid(left)
    light_grid(left, "x")
    right.set_xlabel("Distance (Ward)")
    panel_title(left, 0, "K-means, two clusters")
    panel_title(right, 1, "Ward's dendrogram")
    head(figure, context, [s.arm for s in levels.strategies])
    handles = [
        legend_handle(look, f"{word} scores", joined=False)
        for look, word in zip(LOOKS, ("lower", "higher"), strict=True)
    ]
    every = named(merges(context, FIGURE.name))
    return finished(figure, context, handles, every, [_agreement(levels), FORCED])


def _named_rows(
    axes: Axes, levels: Levels, order: list[int], place: dict[int, int], labels: list[int]
) -> None:
    """Rows from top to bottom, each with the mark of its K-means cluster."""
    ticks = [5 + 10 * n for n in range(len(order))]
    texts = [f"{place[k]}  {levels.strategies[k].label}" for k in order[::-1]]
    axes.set_yticks(ticks, texts)
    for y, k in zip(ticks, order[::-1], strict=True):
        look = LOOKS[labels[k]]
        axes.plot(0, y, marker=look.marker, color=look.color, clip_on=False, zorder=3)
    axes.tick_params(axis="y", length=0, labelsize=6.5, pad=5)
    axes.spines["left"].set_visible(False)


def _agreement(levels: Levels) -> str:
    alone = [standardised(one) for one in levels.seeds()]
    said = []
    for name, cut in (("K-means", k_means), ("Ward, cut in two", ward_labels)):
        found = agreement([cut(points) for points in alone])
        if found is None:
            return "One seed: whether another seed would find the same clusters is not known."
        mean, low, high = found
        said.append(f"{name} " + minus(f"{mean:.2f} ({low:.2f} to {high:.2f})"))
    pairs = len(alone) * (len(alone) - 1) // 2
    return (
        f"Adjusted Rand index between single seeds, mean and range over {pairs} pairs: "
        f"{'; '.join(said)}."
    )
