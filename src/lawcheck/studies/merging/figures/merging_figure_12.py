"""Figure 12 of Lu et al.: the strategies on models of several sizes."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import LEVELS
from lawcheck.show.labels import words
from lawcheck.show.style import Picture
from lawcheck.studies.merging.strategies import Strategy, instructs, plain, strategies
from lawcheck.studies.merging.strips import strip

FIGURE = Picture(
    name="merging_figure_12",
    law="merge_needs_scale",
    title="Figure 12. Strategies by size of the model",
    caption=(
        "Accuracy on the disciplines that the models are adapted to, by base model, before and "
        "after the merge with the instruct model of the same size. a: levels; dotted: the instruct "
        "model. b: change against it. " + LEVELS
    ),
)
PRINTED = (
    "In print, from a figure without numbers: of SmolLM 1.7B, Base-CPT-SFT-DPO is above its merge, "
    "single runs."
)


def build(context: RenderContext) -> Figure:
    shown = plain(strategies(context.law, FIGURE.name))

    def label(s: Strategy) -> str:
        name = context.families.get(s.arm.base, words(s.arm.base))
        return f"{name}: {s.chain}"

    return strip(context, FIGURE.name, shown, instructs(context.law), [PRINTED], label)
