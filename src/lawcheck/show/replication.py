"""The figure of one law in several studies: a forest of each primary part."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lawcheck.declare.design import Law
from lawcheck.judging.outcomes import fixed, minus
from lawcheck.judging.replication import Found, Replicated
from lawcheck.show.drawing import beside_row, forest_axis
from lawcheck.show.labels import part_label
from lawcheck.show.style import BLACK, GREY, TWO_COLUMNS

ROW = 0.25


def build(law: Law, parts: Sequence[Replicated]) -> Figure:
    """parts: over studies; the primary ones are drawn."""
    drawn = [p for p in parts if p.role == "primary"]
    heights = [len(p.found) + 3.0 for p in drawn]
    figure = Figure(
        figsize=(TWO_COLUMNS, ROW * sum(heights) + 0.75),
        layout=ConstrainedLayoutEngine(hspace=0.02),
    )
    grid = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights)
    for axes, part in zip(grid.flat, drawn, strict=True):
        _panel(axes, part)
    figure.suptitle(f"{law.title}: replication", fontsize=9, x=0.01, ha="left")
    handles = [
        _marker("o", BLACK, "pooled study"),
        _marker("s", "white", "shown, not pooled"),
        _marker("D", BLACK, "mean and its interval"),
        Line2D([], [], color=BLACK, linestyle=":", label="one more study"),
        Patch(color="#E6E6E6", label="smaller than of interest"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _marker(shape: str, face: str, label: str) -> Line2D:
    return Line2D(
        [], [], marker=shape, color=BLACK, markerfacecolor=face, linestyle="none", label=label
    )


def _panel(axes: Axes, part: Replicated) -> None:
    rows = len(part.found) + 1
    edge = part.sesoi if part.margin is None else part.margin
    axes.axvspan(-edge, edge, color="#E6E6E6", linewidth=0)
    for y, found in enumerate(part.found):
        _study(axes, y, found, part.unit)
    y = rows - 1
    pooled = part.pooled
    if pooled is None:
        beside_row(axes, y, "not pooled")
    else:
        axes.plot(pooled.predicted, [y, y], color=BLACK, linestyle=":", linewidth=1.0)
        axes.plot([pooled.low, pooled.high], [y, y], color=BLACK, linewidth=1.8)
        axes.plot(pooled.mean, y, marker="D", color=BLACK, linestyle="none")
        beside_row(axes, y, _words(pooled.mean, pooled.low, pooled.high, part.unit))
    names = [*(f.study for f in part.found), f"Mean of {pooled.k}" if pooled else "Mean"]
    forest_axis(axes, names, list(range(rows)), rows)
    axes.set_title(part_label(part.name), loc="left")
    axes.set_xlabel(part.unit, labelpad=1)


def _study(axes: Axes, y: int, found: Found, unit: str) -> None:
    color = GREY if found.why else BLACK
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [y, y], color=color, linewidth=1.2)
    axes.plot(
        found.estimate,
        y,
        marker="s" if found.why else "o",
        markerfacecolor="white" if found.why else color,
        markeredgecolor=color,
        linestyle="none",
    )
    said = "" if found.outcome == "published" else f"  {found.outcome}"
    beside_row(axes, y, _words(found.estimate, found.low, found.high, unit) + said)


def _words(value: float, low: float | None, high: float | None, unit: str) -> str:
    text = minus(fixed(value, unit, "+"))
    if low is None or high is None:
        return text
    return f"{text} [{minus(fixed(low, unit, '+'))}, {minus(fixed(high, unit, '+'))}]"
