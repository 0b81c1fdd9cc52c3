"""Figure 4C: the designs of LoRA-MoE at each data fraction."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawcheck.declare.design import Arm
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    LEVELS,
    dodge,
    finish,
    fraction_look,
    legend_handle,
    levels,
    light_grid,
    one_range,
    panel_title,
    percent,
    points,
    scores,
    seeds_text,
)
from lawcheck.show.style import BLACK, GREY, TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.published import SCALE, published_value
from lawcheck.studies.discipline_laws.tables.table_8 import design_arms, design_label

FIGURE = Picture(
    name="figure_4c",
    law="share_then_specialize",
    title="Figure 4C. Designs of LoRA-MoE",
    caption=(
        "Average accuracy over the disciplines by design of LoRA-MoE and share of the training "
        "data. a: measured here; the dotted line is the base model; hatched: no scores. b: the "
        "published values, another scale, one run each and therefore without an interval, on the "
        "axis of a. c, d: change against the first design, measured and published, on one axis. "
        + LEVELS
    ),
)
STEP = 0.22
PRINTED = "table8_design"
Groups = dict[float, dict[str, Arm]]


def build(context: RenderContext) -> Figure:
    groups = {f: dict(pairs) for f, pairs in design_arms(context, FIGURE.name).items()}
    arms = [a for designs in groups.values() for a in designs.values()]
    context.summary.require(arms, FIGURE.name)
    designs = list(dict.fromkeys(v for found in groups.values() for v in found))
    figure = Figure(figsize=(TWO_COLUMNS, 4.2), layout="constrained")
    (ours, theirs), (gained, printed) = figure.subplots(2, 2)
    handles = _levels(ours, theirs, context, groups, designs)
    _changes(gained, printed, context, groups, designs)
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in arms)
    published = f"{SCALE[0].upper()}{SCALE[1:]}"
    first = design_label(designs[0]).lower()
    panel_title(ours, 0, f"Measured, scale {context.shown_scale}, {seeds}")
    panel_title(theirs, 1, published)
    panel_title(gained, 2, f"Measured, less {first}")
    panel_title(printed, 3, f"{published}, less {first}")
    for axes, shown in ((ours, designs), (theirs, designs), (gained, designs[1:]),
                        (printed, designs[1:])):  # fmt: skip
        axes.set_xticks(
            [designs.index(d) for d in shown], [_wrapped(design_label(d)) for d in shown]
        )
        axes.set_xlim(designs.index((shown or designs)[0]) - 0.5, len(designs) - 0.5)
        axes.margins(y=0.15)
        light_grid(axes)
    one_range([ours, theirs])
    one_range([gained, printed])
    ours.set_ylabel("Average accuracy")
    gained.set_ylabel("Change (points)")
    named = {
        a: f"{design_label(v)} at data {percent(f)}"
        for f, found in groups.items()
        for v, a in found.items()
    }
    return finish(figure, context, handles, named)


def _wrapped(label: str) -> str:
    return label.replace(" ", "\n", 1) if len(label) > 10 else label


def _place(designs: list[str], design: str, groups: Groups, k: int) -> float:
    return designs.index(design) + dodge(k, len(groups), STEP)


def _levels(
    ours: Axes, theirs: Axes, context: RenderContext, groups: Groups, designs: list[str]
) -> list[Line2D]:
    """Draw the measured and the printed levels; the handles of the legend."""
    handles = []
    for k, (fraction, found) in enumerate(groups.items()):
        xs = [_place(designs, v, groups, k) for v in found]
        measures = [context.summary.accuracy(a, "average") for a in found.values()]
        look, label = fraction_look(k), f"data {percent(fraction)}"
        levels(ours, xs, measures, look, label, 0.4 * STEP)
        values = [published_value(PRINTED, a, "average") for a in found.values()]
        points(theirs, xs, values, look, label, published=True)
        handles.append(legend_handle(look, label, joined=False))
    base = context.summary.accuracy(context.law.base, "average")
    if base is not None:
        handles.append(ours.axhline(base.value, linestyle=":", color=GREY, label="base model"))
    return handles


def _changes(
    gained: Axes, printed: Axes, context: RenderContext, groups: Groups, designs: list[str]
) -> None:
    for k, (fraction, found) in enumerate(groups.items()):
        first = found.get(designs[0])
        others = {v: a for v, a in found.items() if v != designs[0]} if first else {}
        xs = [_place(designs, v, groups, k) for v in others]
        look, label = fraction_look(k), f"data {percent(fraction)}"
        if first is not None:
            measures = [change(context, a, first) for a in others.values()]
            scores(gained, xs, measures, look, label, 0.4 * STEP)
        start = None if first is None else published_value(PRINTED, first, "average")
        values = [published_value(PRINTED, a, "average") for a in others.values()]
        gains = [None if v is None or start is None else 100 * (v - start) for v in values]
        points(printed, xs, gains, look, label, published=True)
    for axes in (gained, printed):
        axes.axhline(0, color=BLACK, linewidth=0.6)
