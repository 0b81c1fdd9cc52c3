"""Figure 17 of Lu et al.: what adaptation gives, by model."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.declare.design import Arm
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    LEVELS,
    Look,
    dodge,
    legend_handle,
    levels,
    light_grid,
    panel_title,
    scores,
)
from lawcheck.show.labels import words
from lawcheck.show.style import BLACK, GREEN, GREY, TWO_COLUMNS, Picture
from lawcheck.studies.merging.panels import SLERPED, TUNED, as_measure, finished, head, percent
from lawcheck.studies.merging.strategies import (
    instructs,
    over,
    plain,
    pooled_level,
    sizes,
    strategies,
)

FIGURE = Picture(
    name="merging_figure_17",
    law="merge_needs_scale",
    title="Figure 17. What adaptation gives, by model",
    caption=(
        "a: accuracy on the adapted disciplines of the untrained base, of the instruct model, and "
        "the mean over all strategies of the law before and after the merge. b: the last two less "
        "the instruct model. The published figure shows the best of many strategies of each "
        "model, which is too high the more strategies there are; a mean is not. " + LEVELS
    ),
)
PRINTED = (
    "In print (no numbers in the text): highest level Llama 8B, then Mistral 7B, then SmolLM 1.7B; "
    "relative gain in the opposite order. A model that starts lower gains more for one number of "
    "points in percent, and has more of it to gain."
)
LOOKS = {
    "base": Look(GREY, "D"),
    "instruct": Look(GREEN, "^"),
    "before the merge": TUNED,
    "merged": SLERPED,
}


def build(context: RenderContext) -> Figure:
    law = context.law
    found = plain(strategies(law, FIGURE.name))
    partners = instructs(law)
    bases = [b for b in sizes(law) if b in partners]
    arms: dict[str, list[list[Arm]]] = {
        "base": [[a for a in law.arms if a.method == "base" and a.base == b] for b in bases],
        "instruct": [[partners[b]] for b in bases],
        "before the merge": [
            [s.arm for s in found if s.arm.base == b and not s.merged] for b in bases
        ],
        "merged": [[s.arm for s in found if s.arm.base == b and s.merged] for b in bases],
    }
    every = [a for groups in arms.values() for group in groups for a in group]
    context.summary.require(every, FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, (name, groups) in enumerate(arms.items()):
        xs = [x + dodge(k, len(arms), 0.1) for x in range(len(bases))]
        values = [percent(pooled_level(context, group)) for group in groups]
        levels(left, xs, values, LOOKS[name], name, 0.05)
    for k, name in enumerate(("before the merge", "merged")):
        xs = [x + dodge(k, 2, 0.16) for x in range(len(bases))]
        changes = [
            as_measure(over(context, group, [partners[b]]))
            for b, group in zip(bases, arms[name], strict=True)
        ]
        scores(right, xs, changes, LOOKS[name], name, 0.08)
    right.axhline(0, color=BLACK, linewidth=0.6)
    titles = [context.families.get(b, words(b)).replace(", ", "\n") for b in bases]
    for axes in (left, right):
        axes.set_xticks(range(len(bases)), titles)
        axes.set_xlim(-0.5, len(bases) - 0.5)
        axes.margins(y=0.12)
        light_grid(axes)
    left.set_ylabel("Accuracy (%)")
    right.set_ylabel("Change (points)")
    panel_title(left, 0, "Levels, means of strategies")
    panel_title(right, 1, "Less the instruct model")
    head(figure, context, every)
    handles = [legend_handle(look, name, joined=False) for name, look in LOOKS.items()]
    labels = {partners[b]: f"instruct of {b}" for b in bases}
    labels |= {a: f"base {a.base}" for group in arms["base"] for a in group}
    labels |= {s.arm: f"{s.label} of {s.arm.base}" for s in found}
    return finished(figure, context, handles, labels, [PRINTED])
