"""Figure 1: B, families of base models before and after discipline LoRA.

The published values are printed as a picture only, so none stand beside ours.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    dodge,
    finish,
    legend_handle,
    light_grid,
    scores,
    seeds_text,
)
from lawcheck.show.style import BLACK, TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.families import AFTER, LOOKS, STEP, arm_labels, families

FIGURE = Picture(
    name="figure_1b",
    law="base_model",
    title="Figure 1 B. Base models",
    caption=(
        "Families of base models, named by architecture where they are built from scratch and by "
        "model where they were pretrained by others. Left: average accuracy over the disciplines "
        "before and after discipline LoRA. Right: the gain, paired over seeds and items. Means "
        "and 95 % intervals; hatched: no scores. Families that are built here differ in "
        "configuration only, not in pretraining, so their order says nothing about the published "
        "models of the same architecture."
    ),
)


def build(context: RenderContext) -> Figure:
    found = families(context, FIGURE.name)
    labels = arm_labels(found)
    context.summary.require(list(labels), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.4), layout="constrained")
    levels, gains = figure.subplots(1, 2)
    for k, (side, look) in enumerate(LOOKS.items()):
        xs = [x + dodge(k, len(LOOKS), STEP) for x in range(len(found))]
        measures = [context.summary.accuracy(f.sides[side], "average") for f in found]
        scores(levels, xs, measures, look, side, 0.4 * STEP)
    differences = [change(context, f.after, f.before) for f in found]
    scores(gains, range(len(found)), differences, LOOKS[AFTER], "gain", 0.2)
    gains.axhline(0, color=BLACK, linewidth=0.6)
    for axes in (levels, gains):
        axes.set_xticks(range(len(found)), [_wrapped(f.title) for f in found])
        axes.set_xlim(-0.5, len(found) - 0.5)
        axes.margins(y=0.12)
        light_grid(axes)
    levels.set_ylabel("Average accuracy")
    gains.set_ylabel("Gain (points)")
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in labels)
    levels.set_title(f"(B) measured, scale {context.shown_scale}, {seeds}", loc="left")
    gains.set_title("(B) after less before", loc="left")
    handles = [legend_handle(look, side, joined=False) for side, look in LOOKS.items()]
    return finish(figure, context, handles, labels)


def _wrapped(title: str) -> str:
    """A model's name in two lines, broken at the hyphen nearest to its middle."""
    breaks = [k for k, c in enumerate(title) if c in "- "]
    if len(title) <= 12 or not breaks:
        return title
    at = min(breaks, key=lambda k: abs(k - len(title) / 2)) + 1
    return f"{title[:at].rstrip()}\n{title[at:]}"
