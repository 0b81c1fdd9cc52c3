"""Figure 1B: families of base models before and after discipline LoRA.

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
    name="figure_1b",
    law="base_model",
    title="Figure 1B. Base models",
    caption=(
        "Families of base models, named by architecture and size where they are built here and by "
        "model where they were pretrained by others. a: average accuracy over the disciplines "
        "before and after discipline LoRA. b: the gain. Hatched: no scores. Families that are "
        "built here differ in configuration only, not in pretraining, so their order says nothing "
        "about the published models of the same architecture. " + LEVELS
    ),
)


def build(context: RenderContext) -> Figure:
    found = families(context, FIGURE.name)
    labels = arm_labels(found)
    context.summary.require(list(labels), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.4), layout="constrained")
    before_after, gains = figure.subplots(1, 2)
    accuracy = context.summary.accuracy
    shifts = [dodge(k, len(LOOKS), STEP) for k in range(len(LOOKS))]
    for shift, (side, look) in zip(shifts, LOOKS.items(), strict=True):
        xs = [x + shift for x in range(len(found))]
        measures = [accuracy(f.sides[side], "average") for f in found]
        levels(before_after, xs, measures, look, side, 0.4 * STEP)
    for x, f in enumerate(found):
        pair = (accuracy(f.before, "average"), accuracy(f.after, "average"))
        joined_pair(before_after, (x + shifts[0], x + shifts[1]), pair, GREY)
    differences = [change(context, f.after, f.before) for f in found]
    scores(gains, range(len(found)), differences, LOOKS[AFTER], "gain", 0.2)
    gains.axhline(0, color=BLACK, linewidth=0.6)
    for axes in (before_after, gains):
        axes.set_xticks(range(len(found)), [_wrapped(f.title) for f in found])
        axes.set_xlim(-0.5, len(found) - 0.5)
        axes.margins(y=0.12)
        light_grid(axes)
    before_after.set_ylabel("Average accuracy")
    gains.set_ylabel("Gain (points)")
    seeds = seeds_text(accuracy(a, "average") for a in labels)
    panel_title(before_after, 0, f"Measured, scale {context.shown_scale}, {seeds}")
    panel_title(gains, 1, "Gain, after less before")
    handles = [legend_handle(look, side, joined=False) for side, look in LOOKS.items()]
    return finish(figure, context, handles, labels)


def _wrapped(title: str) -> str:
    """A model's name in two lines, broken at the space or hyphen nearest to its middle."""
    breaks = [k for k, c in enumerate(title) if c in "- "]
    if len(title) <= 12 or not breaks:
        return title
    spaces = [k for k in breaks if title[k] == " " and title[k - 1] == ","]
    at = min(spaces or breaks, key=lambda k: abs(k - len(title) / 2)) + 1
    return f"{title[:at].rstrip()}\n{title[at:]}"
