"""Figure 4A: LoRA at growing rank."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import LEVELS
from lawcheck.show.selection import fitting
from lawcheck.show.style import Picture
from lawcheck.studies.discipline_laws.published import departures_of
from lawcheck.studies.discipline_laws.scaling import Ladder, by_fraction, draw

FIGURE = Picture(
    name="figure_4a",
    law="optimize_then_scale",
    title="Figure 4A. Rank of LoRA",
    caption=(
        "Average accuracy of LoRA by rank, as a multiple of the scale's base rank (16 in the "
        "published study), and share of the training data. a: measured here. b: the published "
        "values, another scale, one run each and therefore without an interval, on the axis of a. "
        "c: gain over the base rank against the trainable share planned at paper scale; open marks "
        "are published gains of a 7B model. Dashed: the margin below which a gain counts as none. "
        "Hatched: no scores. " + LEVELS
    ),
)


def build(context: RenderContext) -> Figure:
    arms = fitting(
        context,
        FIGURE.name,
        lambda a: a.method == "lora" and not a.each_alone and departures_of(a) <= {"size"},
    )
    ladder = Ladder(
        steps=by_fraction(
            arms, lambda a: int(a.choices.get("rank_multiple", 1)), context.law.name, FIGURE.name
        ),
        size_label="Rank (× base rank)",
        size_text=lambda size: f"{size}×",
        table="table7_params",
        beside={},
        beside_text="",
        beside_table="",
    )
    return draw(context, ladder, FIGURE.name)
