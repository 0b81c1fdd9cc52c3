"""Levels of strategies beside their changes against the instruct model, as figures 4, 5 and 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawcheck.declare.design import Arm
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import dodge, light_grid, panel_title
from lawcheck.show.style import GREY
from lawcheck.studies.merging.panels import (
    LOOKS,
    NAMES,
    as_measure,
    canvas,
    finished,
    forest,
    groups,
    handles,
    head,
    named,
    require,
)
from lawcheck.studies.merging.strategies import Strategy, by_tuned, level, over


def strip(
    context: RenderContext,
    wanted_by: str,
    shown: Sequence[Strategy],
    instruct: Mapping[str, Arm],
    notes: Sequence[str] = (),
    label: Callable[[Strategy], str] | None = None,
) -> Figure:
    """instruct: of each base. label: of a row, by default start and stages."""
    require(context, shown, wanted_by)
    rows = list(by_tuned(shown).values())
    order = [b for b in instruct if any(s.arm.base == b for s in shown)]
    rows.sort(key=lambda group: order.index(group[0].arm.base))
    names = [(label or _name)(group[0]) for group in rows]
    kinds = [k for k in LOOKS if any(s.kind == k for group in rows for s in group)]
    figure = canvas(len(rows), extra=1.25)
    left, right = figure.subplots(1, 2, sharey=True)
    series = {}
    for j, kind in enumerate(kinds):
        arms = [next((s.arm for s in group if s.kind == kind), None) for group in rows]
        levels = [a and level(context, a) for a in arms]
        seen = [(100 * m.value, y + dodge(j, len(kinds), 0.32)) for y, m in enumerate(levels) if m]
        left.plot(
            [x for x, _ in seen],
            [y for _, y in seen],
            marker=LOOKS[kind].marker,
            color=LOOKS[kind].color,
            markersize=3.6,
            linestyle="none",
            gid=f"series {NAMES[kind]}",
        )
        changes = [
            None if a is None else as_measure(over(context, [a], [instruct[a.base]])) for a in arms
        ]
        series[NAMES[kind]] = (LOOKS[kind], changes)
    forest(right, names, series)
    _instruct(left, context, [group[0].arm.base for group in rows], instruct)
    left.set_xlabel("Accuracy (%)", labelpad=1)
    left.spines["left"].set_visible(False)
    left.tick_params(axis="y", length=0)
    left.set_yticks(range(len(names)), names)
    right.tick_params(axis="y", labelleft=False)
    light_grid(left, "x")
    blocks = [f"{group[0].arm.base} {group[0].start}" for group in rows]
    for axes in (left, right):
        groups(axes, blocks)
    head(figure, context, [s.arm for s in shown])
    panel_title(left, 0, "Levels")
    panel_title(right, 1, "Less the instruct model")
    dotted = Line2D([], [], color=GREY, linestyle=":", label="instruct model")
    every = {instruct[b]: "the instruct model" for b in order} | named(shown)
    return finished(figure, context, [*handles(kinds), dotted], every, notes)


def _name(s: Strategy) -> str:
    return f"{s.start}-{s.chain}"


def _instruct(
    axes: Axes, context: RenderContext, bases: Sequence[str], instruct: Mapping[str, Arm]
) -> None:
    """The instruct model's level behind the rows of its base."""
    for y, base in enumerate(bases):
        found = level(context, instruct[base])
        if found is not None:
            axes.plot([100 * found.value] * 2, [y - 0.5, y + 0.5], color=GREY, linestyle=":")
