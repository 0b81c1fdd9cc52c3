"""Figure 7 of Lu et al.: merges against the mean of their parents."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import light_grid, panel_title
from lawcheck.show.style import BLACK, GREY, Picture
from lawcheck.studies.merging.panels import (
    START_LOOKS,
    as_measure,
    canvas,
    finished,
    forest,
    groups,
    head,
    named,
    require,
)
from lawcheck.studies.merging.strategies import STARTS, Synergy, level, merges, synergy

FIGURE = Picture(
    name="merging_figure_7",
    law="merge_synergy",
    title="Figure 7. Merges against the mean of their parents",
    caption=(
        "a: accuracy of each merge over the mean of its two parents; on the line they are equal; "
        "bars: 95 % intervals of the difference. b: the same difference for each strategy, in "
        "points, paired over seeds and items. Grey ticks, in both: where a merge lies that only "
        "equals its better parent, half the gap between the parents above their mean."
    ),
)
FORCED = (
    "What arithmetic forces: any merge that equals its better parent lies above the diagonal, by "
    "half the gap. A point beyond its tick is above both parents; figure 13 judges that."
)


def build(context: RenderContext) -> Figure:
    shown = merges(context, FIGURE.name)
    require(context, shown, FIGURE.name)
    found = [synergy(context, s) for s in shown]
    figure = canvas(len(shown), extra=1.35)
    left, right = figure.subplots(1, 2)
    _scatter(left, context, found)
    rows = [as_measure(f.over_mean) for f in found]
    series = {
        start: (
            START_LOOKS[start],
            [m if f.strategy.start == start else None for m, f in zip(rows, found, strict=True)],
        )
        for start in STARTS
        if any(s.start == start for s in shown)
    }
    names = [f"{s.start}-{s.chain}" for s in shown]
    forest(right, names, series, unit="Merge less mean of parents (points)", stacked=True)
    for y, f in enumerate(found):
        if f.gap is not None:
            right.plot([f.gap / 2] * 2, [y - 0.3, y + 0.3], color=GREY, linewidth=1.6, zorder=1)
    groups(right, [s.start for s in shown])
    panel_title(left, 0, "Actual over expected")
    panel_title(right, 1, "Difference by strategy")
    head(figure, context, [s.arm for s in shown])
    marks = [
        Line2D([], [], marker=look.marker, color=look.color, linestyle="none", label=f"{s} start")
        for s, look in START_LOOKS.items()
        if s in series
    ]
    marks.append(Line2D([], [], color=GREY, linewidth=1.6, label="equal to the better parent"))
    return finished(figure, context, marks, named(shown), [FORCED])


def _scatter(axes: Axes, context: RenderContext, found: list[Synergy]) -> None:
    means: list[float] = []
    for f in found:
        actual, mean = level(context, f.strategy.arm), as_measure(f.over_mean)
        if actual is None or mean is None or f.gap is None:
            continue
        y = 100 * actual.value
        x = y - mean.value
        look = START_LOOKS[f.strategy.start]
        axes.errorbar(
            [x],
            [y],
            yerr=[mean.half or 0.0],
            marker=look.marker,
            color=look.color,
            markersize=3.6,
            elinewidth=0.8,
            linestyle="none",
        )
        better = x + f.gap / 2
        axes.plot(x, better, marker="_", color=GREY, markersize=8, markeredgewidth=1.6, zorder=1)
        means.append(x)
    if means:
        low, high = min(means) - 1, max(means) + 1
        axes.plot([low, high], [low, high], color=BLACK, linewidth=0.8, zorder=1.5)
    axes.set_xlabel("Mean of the parents (%)")
    axes.set_ylabel("Merge (%)")
    light_grid(axes)
    light_grid(axes, "x")
