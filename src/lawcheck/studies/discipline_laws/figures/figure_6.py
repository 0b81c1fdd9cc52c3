"""Figure 6: each discipline before and after discipline LoRA, by family of base models.

The published values are printed as a picture only, so none stand beside ours.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    LEVELS,
    dodge,
    finish,
    joined_pair,
    legend_handle,
    levels,
    light_grid,
    panel_title,
    scores,
    seeds_text,
)
from lawcheck.show.style import BLACK, GREY, TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.families import AFTER, LOOKS, STEP, arm_labels, families

FIGURE = Picture(
    name="figure_6",
    law="base_model",
    title="Figure 6. Base models by discipline",
    caption=(
        "Accuracy on each discipline before and after discipline LoRA (above), and the gain "
        "(below), one column a family of base models, named by architecture and size where it is "
        "built here and by model where it was pretrained by others. Hatched: no scores. Families "
        "that are built here differ in configuration only, not in pretraining. " + LEVELS
    ),
)


def build(context: RenderContext) -> Figure:
    found = families(context, FIGURE.name)
    labels = arm_labels(found)
    context.summary.require(list(labels), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 3.8), layout="constrained")
    before_after, gains = figure.subplots(
        2, len(found), sharex=True, sharey="row", squeeze=False, height_ratios=(1.2, 1)
    )
    disciplines = context.science
    shifts = [dodge(k, len(LOOKS), STEP) for k in range(len(LOOKS))]
    for k, (above, below, family) in enumerate(zip(before_after, gains, found, strict=True)):
        for shift, (side, arm) in zip(shifts, family.sides.items(), strict=True):
            measures = [context.summary.accuracy(arm, d.name) for d in disciplines]
            xs = [x + shift for x in range(len(disciplines))]
            levels(above, xs, measures, LOOKS[side], side, STEP / 2, size=3.6)
        for x, d in enumerate(disciplines):
            before, after = (context.summary.accuracy(a, d.name) for a in family.sides.values())
            joined_pair(above, (x + shifts[0], x + shifts[1]), (before, after), GREY)
        changes = [change(context, family.after, family.before, d.name) for d in disciplines]
        scores(below, range(len(disciplines)), changes, LOOKS[AFTER], "gain", 0.2, size=3.6)
        below.axhline(0, color=BLACK, linewidth=0.6)
        below.set_xticks(range(len(disciplines)), [d.short or d.title for d in disciplines])
        below.set_xlim(-0.5, len(disciplines) - 0.5)
        for axes in (above, below):
            axes.margins(y=0.1)
            light_grid(axes)
        panel_title(above, k, family.title, fontsize=7.5)
        panel_title(below, len(found) + k, "Gain", fontsize=7.5)
    before_after[0].set_ylabel("Accuracy")
    gains[0].set_ylabel("Gain (points)")
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in labels)
    figure.suptitle(
        f"Measured, scale {context.shown_scale}, {seeds}", fontsize=8, x=0.01, ha="left"
    )
    handles = [legend_handle(look, side, joined=False) for side, look in LOOKS.items()]
    return finish(figure, context, handles, labels)
