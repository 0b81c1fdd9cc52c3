"""What several figures of the study draw alike: forests of changes, marks of merges."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.judging.outcomes import minus
from lawcheck.judging.stats import Estimate
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    Look,
    beside_row,
    dodge,
    finish,
    forest_axis,
    legend_handle,
    light_grid,
    seeds_text,
)
from lawcheck.show.style import BLUE, GREEN, GREY, ORANGE, SKY, TWO_COLUMNS
from lawcheck.show.summary import CROSSED, ITEMS_ONLY, Measure, measure
from lawcheck.studies.merging.strategies import Strategy, domain, level

TUNED, SLERPED, LERPED = Look(ORANGE, "s"), Look(BLUE, "o"), Look(SKY, "D")
UNMERGED = "before the merge"
LOOKS = {"": TUNED, "SLERP": SLERPED, "LERP": LERPED}
NAMES = {"": UNMERGED, "SLERP": "merged by SLERP", "LERP": "merged by LERP"}
BASE_LOOK, INSTRUCT_LOOK = Look(GREEN, "^", "--"), Look(BLUE, "o", "-")
START_LOOKS = {"Base": BASE_LOOK, "Instruct": INSTRUCT_LOOK}
ROW = 0.23


def as_measure(found: Estimate | None) -> Measure | None:
    if found is None:
        return None
    return measure(found, 1.0, ITEMS_ONLY if found.single_run else CROSSED)


def forest(
    axes: Axes,
    names: Sequence[str],
    series: Mapping[str, tuple[Look, Sequence[Measure | None]]],
    unit: str = "Change (points)",
    words: Sequence[str] = (),
    stacked: bool = False,
) -> None:
    """One row a name, one mark a series, hatched where every series lacks its score.

    series: label -> look and one measure a row. words: to the right of the rows. stacked: each row
    has one mark at most, in its middle.
    """
    forest_axis(axes, names)
    for k, (label, (look, measures)) in enumerate(series.items()):
        shift = 0.0 if stacked else dodge(k, len(series), 0.32)
        seen = [(y + shift, m) for y, m in enumerate(measures) if m is not None]
        drawn = axes.errorbar(
            [m.value for _, m in seen],
            [y for y, _ in seen],
            xerr=[0.0 if m.half is None else m.half for _, m in seen],
            marker=look.marker,
            linestyle="none",
            color=look.color,
            markersize=3.6,
            elinewidth=0.9,
            label=label,
        )
        drawn.lines[0].set_gid(f"series {label}")
    for y in range(len(names)):
        if all(measures[y] is None for _, measures in series.values()):
            axes.axhspan(
                y - 0.45, y + 0.45, facecolor="none", edgecolor=GREY, hatch="/////", linewidth=0.0
            )
    for y, text in enumerate(words):
        beside_row(axes, y, text)
    light_grid(axes, "x")
    axes.set_xlabel(unit, labelpad=1)


def groups(axes: Axes, starts: Sequence[str]) -> None:
    """A rule between rows of different starts."""
    for y in range(1, len(starts)):
        if starts[y] != starts[y - 1]:
            axes.axhline(y - 0.5, color=GREY, linewidth=0.5)


def handles(kinds: Iterable[str]) -> list[Line2D]:
    """Of a legend, for the kinds of merge that are shown."""
    wanted = set(kinds)
    return [legend_handle(LOOKS[k], NAMES[k], joined=False) for k in LOOKS if k in wanted]


def instruct_line(axes: Axes, context: RenderContext, arm: Arm, label: str) -> Line2D | None:
    """The level of the instruct model across a panel of levels in percent."""
    found = level(context, arm)
    if found is None:
        return None
    return axes.axhline(100 * found.value, linestyle=":", color=GREY, linewidth=0.9, label=label)


def percent(found: Measure | None) -> Measure | None:
    """A level in percent, without its interval: panels of levels show none."""
    if found is None:
        return None
    return dataclasses.replace(found, value=100 * found.value, low=None, high=None)


def signed(found: Estimate | Measure | None, decimals: int = 1) -> str:
    return "" if found is None else minus(f"{round(found.value, decimals) + 0.0:+.{decimals}f}")


def p_words(p: float | None) -> str:
    """`p 0.03`; nothing where there is none."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}" if p < 0.1 else f"p {p:.2f}"


def require(context: RenderContext, shown: Sequence[Strategy], wanted_by: str) -> None:
    """Raises InputError where no arm has scores, or where none is declared."""
    if not shown:
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares no arm for it; declare one, or leave "
            f"{wanted_by} out of its list"
        )
    context.summary.require([s.arm for s in shown], wanted_by)


def named(shown: Iterable[Strategy]) -> dict[Arm, str]:
    """How notes call the arms."""
    return {s.arm: s.label for s in shown}


def domain_words(context: RenderContext) -> str:
    """The adapted disciplines in words, for titles."""
    target = domain(context.law)
    keys = (target,) if isinstance(target, str) else target
    titles = {d.name: d.title for d in context.disciplines}
    return " and ".join(titles.get(k, k) for k in keys)


def canvas(rows: int, extra: float = 1.0) -> Figure:
    """A figure over two columns, high enough for rows of a forest."""
    return Figure(figsize=(TWO_COLUMNS, ROW * rows + extra), layout="constrained")


def head(figure: Figure, context: RenderContext, arms: Iterable[Arm], legend: bool = True) -> None:
    """What was measured, over the whole figure, and under its legend where it has one."""
    seeds = seeds_text(level(context, a) for a in arms)
    text = f"Measured, scale {context.shown_scale}, {seeds}: {domain_words(context)}"
    figure.suptitle("\n" * legend + text, fontsize=8, x=0.01, ha="left", linespacing=1.6)


def finished(
    figure: Figure,
    context: RenderContext,
    legend: Sequence[Artist],
    shown: Mapping[Arm, str],
    notes: Sequence[str] = (),
) -> Figure:
    """The figure with its legend, and under it what a reader must know of the arms shown."""
    return finish(figure, context, legend, shown, notes, target=domain(context.law))
