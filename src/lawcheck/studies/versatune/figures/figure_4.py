"""Figure 4: expansion that watches what is forgotten, against expansion that does not.

The paper prints it as a picture only, so no published numbers stand beside ours.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.declare.design import Arm, Target
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    LEVELS,
    Look,
    dodge,
    finish,
    legend_handle,
    levels,
    light_grid,
    one_range,
    panel_title,
    scores,
    seeds_text,
)
from lawcheck.show.style import BLACK, BLUE, ORANGE, TWO_COLUMNS, Picture
from lawcheck.show.summary import Measure
from lawcheck.studies.versatune.expansion import others, panel_name, panels
from lawcheck.studies.versatune.shown import EXPANSION, UNCONDITIONAL, domains, untrained

FIGURE = Picture(
    name="versatune_figure_4",
    law="flexible_expansion",
    title="Figure 4 of VersaTune. Expansion with and without its threshold",
    caption=(
        "Above: change of the accuracy against the untrained base, in points, of expansion with "
        "its test for forgetting and without it. Below: the former less the latter. One column a "
        "target domain; Others: mean of the domains that are not the target, which is shaded. "
        "Hatched: no scores. Published as a picture only. " + LEVELS
    ),
)
LOOKS = {EXPANSION: Look(BLUE, "o"), UNCONDITIONAL: Look(ORANGE, "s")}
OTHERS = "Others"
STEP, BAND = 0.26, "#EEEEEE"


def build(context: RenderContext) -> Figure:
    found = panels(context, tuple(LOOKS), FIGURE.name)
    named = {
        arm: f"{name} ({target})" for (_, target), own in found.items() for name, arm in own.items()
    }
    context.summary.require(list(named), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 3.9), layout="constrained")
    grid = figure.subplots(
        2, len(found), sharex=True, sharey="row", squeeze=False, height_ratios=(1.2, 1)
    )
    several = len({base for base, _ in found}) > 1
    for k, (panel, own) in enumerate(found.items()):
        base, target = panel
        names = {d.name: d.short or d.title for d in domains(context)}
        rest = tuple(d.name for d in others(context, target))
        targets: list[Target] = [*names, rest]
        xs = range(len(targets))
        first = untrained(context, base)
        for j, (name, look) in enumerate(LOOKS.items()):
            found_changes = [_change(context, own.get(name), first, t) for t in targets]
            at = [x + dodge(j, len(LOOKS), STEP) for x in xs]
            levels(grid[0, k], at, found_changes, look, name, STEP / 2, size=3.4)
        pairs = [_change(context, own.get(EXPANSION), own.get(UNCONDITIONAL), t) for t in targets]
        scores(grid[1, k], list(xs), pairs, LOOKS[EXPANSION], "difference", 0.25, size=3.4)
        for axes in grid[:, k]:
            at_target = list(names).index(target) if target in names else -1
            if at_target >= 0:
                axes.axvspan(at_target - 0.5, at_target + 0.5, color=BAND, linewidth=0, zorder=0)
            axes.axvline(len(names) - 0.5, color="#BBBBBB", linewidth=0.6)
            axes.axhline(0, color=BLACK, linewidth=0.6)
            axes.set_xlim(-0.5, len(targets) - 0.5)
            light_grid(axes)
        grid[1, k].set_xticks(xs, [*names.values(), OTHERS], rotation=60, ha="right",
                              rotation_mode="anchor")  # fmt: skip
        panel_title(grid[0, k], k, panel_name(context, panel, several))
    one_range(grid[0])
    one_range(grid[1])
    grid[0, 0].set_ylabel("Change against the\nuntrained base (points)")
    grid[1, 0].set_ylabel("With less without\nthreshold (points)")
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in named)
    text = f"Measured, scale {context.shown_scale}, {seeds}"
    figure.suptitle(text, fontsize=8, x=0.01, ha="left")
    handles = [legend_handle(look, name, joined=False) for name, look in LOOKS.items()]
    return finish(figure, context, handles, named)


def _change(
    context: RenderContext, arm: Arm | None, other: Arm | None, target: Target
) -> Measure | None:
    return None if arm is None or other is None else change(context, arm, other, target)
