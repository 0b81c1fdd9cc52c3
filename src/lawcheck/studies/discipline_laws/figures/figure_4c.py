"""Figure 4: c, the designs of LoRA-MoE at each data fraction."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawcheck.declare.design import Arm
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    dodge,
    finish,
    fraction_look,
    legend_handle,
    light_grid,
    percent,
    published_points,
    scores,
    seeds_text,
)
from lawcheck.show.style import GREY, TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.published import SCALE, published_value
from lawcheck.studies.discipline_laws.tables.table_8 import design_arms, design_label

FIGURE = Picture(
    name="figure_4c",
    law="share_then_specialize",
    title="Figure 4 c. Designs of LoRA-MoE",
    caption=(
        "Average accuracy over the disciplines by design of LoRA-MoE and share of the training "
        "data. Left: measured here, mean and 95 % interval (seeds and items crossed); the dotted "
        "line is the base model; hatched: no scores yet. Right: the published values, another "
        "scale, one run each and therefore without an interval. The axes differ."
    ),
)
STEP = 0.22
Groups = dict[float, list[tuple[str, Arm]]]


def build(context: RenderContext) -> Figure:
    groups = design_arms(context, FIGURE.name)
    arms = [a for pairs in groups.values() for _, a in pairs]
    context.summary.require(arms, FIGURE.name)
    designs = list(dict.fromkeys(v for pairs in groups.values() for v, _ in pairs))
    figure = Figure(figsize=(TWO_COLUMNS, 2.3), layout="constrained")
    ours, theirs = figure.subplots(1, 2)
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in arms)
    handles = _ours(ours, context, groups, designs)
    _theirs(theirs, groups, designs)
    ours.set_title(f"(c) measured, scale {context.shown_scale}, {seeds}", loc="left")
    theirs.set_title(f"(c) {SCALE}", loc="left")
    for axes in (ours, theirs):
        axes.set_xticks(range(len(designs)), [_wrapped(design_label(d)) for d in designs])
        axes.set_xlim(-0.5, len(designs) - 0.5)
        axes.margins(y=0.15)
        light_grid(axes)
    ours.set_ylabel("Average accuracy")
    named = {
        a: f"{design_label(v)} at data {percent(f)}"
        for f, pairs in groups.items()
        for v, a in pairs
    }
    return finish(figure, context, handles, named)


def _wrapped(label: str) -> str:
    return label.replace(" ", "\n", 1) if len(label) > 10 else label


def _ours(axes: Axes, context: RenderContext, groups: Groups, designs: list[str]) -> list[Line2D]:
    """Draw the measured panel; the handles of the legend."""
    handles = []
    for k, (fraction, pairs) in enumerate(groups.items()):
        xs = [designs.index(v) + dodge(k, len(groups), STEP) for v, _ in pairs]
        measures = [context.summary.accuracy(a, "average") for _, a in pairs]
        look, label = fraction_look(k), f"data {percent(fraction)}"
        scores(axes, xs, measures, look, label, 0.4 * STEP)
        handles.append(legend_handle(look, label, joined=False))
    base = context.summary.accuracy(context.law.base, "average")
    if base is not None:
        handles.append(axes.axhline(base.value, linestyle=":", color=GREY, label="base model"))
    return handles


def _theirs(axes: Axes, groups: Groups, designs: list[str]) -> None:
    for k, (fraction, pairs) in enumerate(groups.items()):
        xs = [designs.index(v) + dodge(k, len(groups), STEP) for v, _ in pairs]
        values = [published_value("table8_design", a, "average") for _, a in pairs]
        look = fraction_look(k)
        published_points(axes, xs, values, look, f"data {percent(fraction)}")
