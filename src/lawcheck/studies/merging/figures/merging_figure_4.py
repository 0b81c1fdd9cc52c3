"""Figures 4 and 5 of Lu et al.: every strategy before and after its merge, against instruct."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import LEVELS
from lawcheck.show.style import Picture
from lawcheck.studies.merging.strategies import instructs, plain, strategies
from lawcheck.studies.merging.strips import strip

FIGURE = Picture(
    name="merging_figure_4",
    law="merge_synergy",
    title="Figures 4 and 5. Strategies of training and merging",
    caption=(
        "Accuracy on the disciplines that the models are adapted to, for every strategy before "
        "and after its merge with the instruct model. a: levels; dotted: the instruct model. b: "
        "change against the instruct model. " + LEVELS
    ),
)
PRINTED = (
    "In print, from figures without numbers: gains over Instruct exceed 20 % (Mistral 7B, best "
    "strategies) and reach around 12 % (Llama 8B), relative, single runs; the best of many noisy "
    "scores is too high."
)


def build(context: RenderContext) -> Figure:
    base = context.law.base.base
    shown = [s for s in plain(strategies(context.law, FIGURE.name)) if s.arm.base == base]
    return strip(context, FIGURE.name, shown, instructs(context.law), [PRINTED])
