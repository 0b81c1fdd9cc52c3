"""Figure 4B: LoRA-MoE with more experts."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import LEVELS
from lawcheck.show.selection import fitting, fraction
from lawcheck.show.style import Picture
from lawcheck.studies.discipline_laws.published import departures_of
from lawcheck.studies.discipline_laws.scaling import Ladder, by_fraction, draw

FIGURE = Picture(
    name="figure_4b",
    law="optimize_then_scale",
    title="Figure 4B. Experts of LoRA-MoE",
    caption=(
        "Average accuracy of the plain LoRA-MoE by number of experts and share of the training "
        "data. a: measured here. b: the published values, another scale, one run each and "
        "therefore without an interval, on the axis of a. c: gain over five experts against the "
        "trainable share planned at paper scale, and beside it what sharing A gains at five "
        "experts; open marks are published gains of a 7B model. Dashed: the margin below which a "
        "gain counts as none. Hatched: no scores. " + LEVELS
    ),
)


def build(context: RenderContext) -> Figure:
    arms = fitting(
        context,
        FIGURE.name,
        lambda a: a.method == "lora_moe" and departures_of(a) <= {"size", "variant"},
    )
    plain = [a for a in arms if "variant" not in departures_of(a)]
    shared = [
        a for a in arms if a.choices.get("variant") == "shared_a" and "experts" not in a.choices
    ]
    ladder = Ladder(
        steps=by_fraction(
            plain, lambda a: int(a.choices.get("experts", 5)), context.law.name, FIGURE.name
        ),
        size_label="Experts e",
        size_text=lambda size: f"e={size}",
        table="table7_params",
        beside={fraction(a): a for a in shared},
        beside_text="shared A",
        beside_table="table8_design",
    )
    return draw(context, ladder, FIGURE.name)
