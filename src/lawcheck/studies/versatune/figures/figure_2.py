"""Figure 2: what three ways to expand a domain do to it, and to the others.

The paper prints it as a picture only, so no published numbers stand beside ours.
"""

from __future__ import annotations

import dataclasses
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lawcheck.declare.design import Arm
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.domains import domain_looks
from lawcheck.show.drawing import (
    Look,
    finish,
    gaps,
    legend_handle,
    light_grid,
    one_range,
    panel_title,
    seeds_text,
    series,
)
from lawcheck.show.style import BLACK, TWO_COLUMNS, Picture
from lawcheck.show.summary import Measure
from lawcheck.studies.versatune.expansion import others, panel_name, panels
from lawcheck.studies.versatune.shown import (
    EXPANSION,
    INCREASE,
    SPECIFIC,
    domains,
    untrained,
)

FIGURE = Picture(
    name="versatune_figure_2",
    law="flexible_expansion",
    title="Figure 2 of VersaTune. Domain expansion",
    caption=(
        "Change of the accuracy against the untrained base, in points, one panel a target domain. "
        "Line: the target domain. Bars: the other domains, gains stacked upwards from 0 and losses "
        "downwards; circle: their sum. Bars of the line and of the sum: 95 % intervals, paired "
        "over seeds and items. Hatched: no scores. Published as a picture only."
    ),
)
STRATEGIES = {SPECIFIC: "Specific\nalone", INCREASE: "Domain\nincrease", EXPANSION: "Expansion"}
TARGET, SUM = Look(BLACK, "D", "-"), Look(BLACK, "o")
WIDTH, ACROSS, SHIFT = 0.52, 3, 0.13


def build(context: RenderContext) -> Figure:
    found = panels(context, tuple(STRATEGIES), FIGURE.name)
    named = {
        arm: f"{name} ({target})" for (_, target), own in found.items() for name, arm in own.items()
    }
    context.summary.require(list(named), FIGURE.name)
    across = min(ACROSS, len(found))
    rows = math.ceil(len(found) / across)
    figure = Figure(figsize=(TWO_COLUMNS, 0.9 + 2.3 * rows), layout="constrained")
    grid = figure.subplots(rows, across, squeeze=False, sharey=True)
    looks = domain_looks([d.name for d in domains(context)])
    several = len({base for base, _ in found}) > 1
    for axes in grid.flat[len(found) :]:
        axes.set_visible(False)
    for k, (axes, (panel, own)) in enumerate(zip(grid.flat, found.items(), strict=False)):
        _panel(axes, context, panel, own, looks)
        panel_title(axes, k, panel_name(context, panel, several))
    one_range(grid.flat[: len(found)])
    for axes in grid[:, 0]:
        axes.set_ylabel("Change against the\nuntrained base (points)")
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in named)
    text = f"Measured at scale {context.shown_scale}, {seeds}."
    bars = [Patch(color=looks[d.name].color, label=d.short or d.title) for d in domains(context)]
    lines = [
        legend_handle(TARGET, "target domain"),
        legend_handle(SUM, "sum of the others", joined=False, filled=False),
    ]
    return finish(
        figure, context, [*bars, *lines], named, [text], columnspacing=0.9, handlelength=1.4
    )


def _panel(
    axes: Axes,
    context: RenderContext,
    panel: tuple[str, str],
    own: dict[str, Arm],
    looks: dict[str, Look],
) -> None:
    base, target = panel
    first = untrained(context, base)
    names = [name for name in STRATEGIES if name in own]
    rest = others(context, target)
    targets: list[Measure | None] = []
    sums: list[Measure | None] = []
    for x, name in enumerate(names):
        arm = own[name]
        found = {
            d.name: None if first is None else change(context, arm, first, d.name) for d in rest
        }
        _stack(axes, x, {d: m.value for d, m in found.items() if m is not None}, looks)
        targets.append(None if first is None else change(context, arm, first, target))
        whole = None if first is None else change(context, arm, first, tuple(found))
        sums.append(None if whole is None else _times(whole, len(rest)))
    xs = range(len(names))
    series(axes, [x - SHIFT for x in xs], targets, TARGET, "target", size=3.4)
    drawn = series(axes, [x + SHIFT for x in xs], sums, SUM, "sum", joined=False, size=3.6)
    drawn.lines[0].set_markerfacecolor("white")
    gaps(axes, xs, targets, WIDTH / 2)
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_xticks(xs, [STRATEGIES[n] for n in names])
    axes.set_xlim(-0.6, len(names) - 0.4)
    light_grid(axes)


def _stack(axes: Axes, x: float, values: dict[str, float], looks: dict[str, Look]) -> None:
    """Gains upwards, losses downwards, in the order of the domains."""
    ends = {True: 0.0, False: 0.0}
    for name, value in values.items():
        up = value >= 0
        axes.bar(
            x,
            value,
            WIDTH,
            bottom=ends[up],
            color=looks[name].color,
            alpha=0.75,
            linewidth=0.4,
            edgecolor="white",
            gid=f"bar {name}",
        )
        ends[up] += value


def _times(mean: Measure, n: int) -> Measure:
    """A mean over n domains as their sum."""
    return dataclasses.replace(
        mean,
        value=n * mean.value,
        low=None if mean.low is None else n * mean.low,
        high=None if mean.high is None else n * mean.high,
    )
