"""Figure 6: each discipline before and after discipline LoRA, by family of base models.

The published values are printed as a picture only, so none stand beside ours.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    dodge,
    finish,
    legend_handle,
    light_grid,
    scores,
    seeds_text,
)
from lawcheck.show.style import TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.families import LOOKS, STEP, arm_labels, families

FIGURE = Picture(
    name="figure_6",
    law="base_model",
    title="Figure 6. Base models by discipline",
    caption=(
        "Accuracy on each discipline before and after discipline LoRA, one panel a family of base "
        "models, named by architecture where it is built from scratch and by model where it was "
        "pretrained by others; mean and 95 % interval (seeds and items crossed). Hatched: no "
        "scores. Families that are built here differ in configuration only, not in pretraining."
    ),
)


def build(context: RenderContext) -> Figure:
    found = families(context, FIGURE.name)
    labels = arm_labels(found)
    context.summary.require(list(labels), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.4), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    disciplines = context.science
    for axes, family in zip(panels, found, strict=True):
        for k, (side, arm) in enumerate(family.sides.items()):
            xs = [x + dodge(k, len(LOOKS), STEP) for x in range(len(disciplines))]
            measures = [context.summary.accuracy(arm, d.name) for d in disciplines]
            scores(axes, xs, measures, LOOKS[side], side, STEP / 2, size=3.6)
        axes.set_xticks(range(len(disciplines)), [d.short or d.title for d in disciplines])
        axes.set_xlim(-0.5, len(disciplines) - 0.5)
        axes.margins(y=0.1)
        light_grid(axes)
        axes.set_title(family.title, loc="left", fontsize=7.5)
    panels[0].set_ylabel("Accuracy")
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in labels)
    figure.suptitle(
        f"measured, scale {context.shown_scale}, {seeds}", fontsize=8, x=0.01, ha="left"
    )
    handles = [legend_handle(look, side, joined=False) for side, look in LOOKS.items()]
    return finish(figure, context, handles, labels)
