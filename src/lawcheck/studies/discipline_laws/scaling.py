"""Panels of an adapter that grows: accuracy by size, and what it gains for its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change, no_gain_margin
from lawcheck.show.drawing import (
    dodge,
    finish,
    fraction_look,
    legend_handle,
    levels,
    light_grid,
    one_range,
    panel_title,
    percent,
    points,
    seeds_text,
    series,
)
from lawcheck.show.style import BLACK, GREY, TWO_COLUMNS, empty, hatched
from lawcheck.show.summary import Measure
from lawcheck.studies.discipline_laws.published import published_value

STEP = 0.2
# Decades between marks beside a trainable share: ours and the published one of each fraction.
SHARE_STEP = 0.045
MARGIN_LINE: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 0.8}


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """One adapter in growing sizes. steps: data fraction -> (size, arm), ascending.

    beside: data fraction -> an arm of the smallest size but another design, whose gain is shown
    for comparison. table, beside_table: where their published values stand.
    """

    steps: dict[float, list[tuple[int, Arm]]]
    size_label: str
    size_text: Callable[[int], str]
    table: str
    beside: dict[float, Arm]
    beside_text: str
    beside_table: str

    @property
    def sizes(self) -> list[int]:
        return sorted({s for steps in self.steps.values() for s, _ in steps})

    @property
    def arms(self) -> list[Arm]:
        return [a for steps in self.steps.values() for _, a in steps]

    def reference(self, fraction: float) -> Arm:
        """The smallest arm at a data fraction."""
        return self.steps[fraction][0][1]

    def grown(self, fraction: float) -> list[tuple[str, Arm, str]]:
        """(label, arm, published table) of what is compared with the reference."""
        found = [(self.size_text(s), a, self.table) for s, a in self.steps[fraction][1:]]
        if fraction in self.beside:
            found.append((self.beside_text, self.beside[fraction], self.beside_table))
        return found


def by_fraction(
    arms: Sequence[Arm], size: Callable[[Arm], int], law: str, wanted_by: str
) -> dict[float, list[tuple[int, Arm]]]:
    """Data fraction -> (size, arm), ascending; fractions with a single size are left out.

    Raises InputError where none is left.
    """
    found: dict[float, list[tuple[int, Arm]]] = {}
    for arm in arms:
        assert arm.recipe is not None
        found.setdefault(arm.recipe.fraction, []).append((size(arm), arm))
    kept = {
        f: sorted(steps, key=lambda pair: pair[0]) for f, steps in found.items() if len(steps) > 1
    }
    if not kept:
        raise InputError(
            f"{wanted_by}: law {law!r} declares one size only, expected two or more at a data "
            f"fraction; declare them, or leave {wanted_by} out of its list"
        )
    return dict(sorted(kept.items()))


def draw(context: RenderContext, ladder: Ladder, wanted_by: str) -> Figure:
    """Accuracy by size here and in print, and the gain against the trainable share."""
    context.summary.require(ladder.arms, wanted_by)
    figure = Figure(figsize=(TWO_COLUMNS, 2.5), layout="constrained")
    ours, theirs, gain = figure.subplots(1, 3, width_ratios=(1.0, 0.9, 1.35))
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in ladder.arms)
    _levels(ours, context, ladder)
    _printed_levels(theirs, ladder)
    unknown = _gains(gain, context, ladder)
    one_range([ours, theirs])
    panel_title(ours, 0, f"Measured, scale\n{context.shown_scale}, {seeds}")
    panel_title(theirs, 1, "Published,\n7B, one run")
    panel_title(gain, 2, f"Gain over {ladder.size_text(ladder.sizes[0])}")
    ours.set_ylabel("Average accuracy")
    looks = {f: fraction_look(k) for k, f in enumerate(ladder.steps)}
    handles = [legend_handle(look, f"data {percent(f)}") for f, look in looks.items()]
    handles += [
        legend_handle(look, f"{percent(f)}, published", joined=False, filled=False)
        for f, look in looks.items()
    ]
    if no_gain_margin(context.law, ladder.arms) is not None:
        handles.append(Line2D([], [], label="no-gain margin", **MARGIN_LINE))
    named = {
        a: f"{label} at data {percent(f)}"
        for f, steps in ladder.steps.items()
        for label, a in [
            *((ladder.size_text(s), a) for s, a in steps),
            *((ladder.beside_text, ladder.beside[g]) for g in (f,) if g in ladder.beside),
        ]
    }
    return finish(figure, context, handles, named, unknown)


def _place(ladder: Ladder, size: int, k: int) -> float:
    return ladder.sizes.index(size) + dodge(k, len(ladder.steps), STEP)


def _size_axis(axes: Axes, ladder: Ladder) -> None:
    axes.set_xticks(range(len(ladder.sizes)), [ladder.size_text(s) for s in ladder.sizes])
    axes.set_xlim(-0.5, len(ladder.sizes) - 0.5)
    axes.set_xlabel(ladder.size_label)
    axes.margins(y=0.12)
    light_grid(axes)


def _levels(axes: Axes, context: RenderContext, ladder: Ladder) -> None:
    for k, (fraction, steps) in enumerate(ladder.steps.items()):
        xs = [_place(ladder, s, k) for s, _ in steps]
        measures = [context.summary.accuracy(a, "average") for _, a in steps]
        label = f"data {percent(fraction)}"
        levels(axes, xs, measures, fraction_look(k), label, STEP / 2, joined=True)
    _size_axis(axes, ladder)


def _printed_levels(axes: Axes, ladder: Ladder) -> None:
    for k, (fraction, steps) in enumerate(ladder.steps.items()):
        xs = [_place(ladder, s, k) for s, _ in steps]
        values = [published_value(ladder.table, a, "average") for _, a in steps]
        label = f"data {percent(fraction)}"
        points(axes, xs, values, fraction_look(k), label, joined=True, published=True)
    _size_axis(axes, ladder)


def _gains(axes: Axes, context: RenderContext, ladder: Ladder) -> list[str]:
    """The gain panel; notes on what it cannot place."""
    places: dict[str, float] = {}
    unplaced: list[str] = []
    for k, fraction in enumerate(ladder.steps):
        reference = ladder.reference(fraction)
        start = context.costs(reference, "trainable_share")
        if start is not None:
            places.setdefault(ladder.size_text(ladder.steps[fraction][0][0]), start)
        xs: list[float] = []
        others: list[float] = []
        measures: list[Measure | None] = []
        printed: list[float | None] = []
        for label, arm, table in ladder.grown(fraction):
            share = context.costs(arm, "trainable_share")
            if share is None:
                unplaced.append(f"{label} at data {percent(fraction)}")
                continue
            places.setdefault(label, share)
            slots = 2 * len(ladder.steps)
            xs.append(share * 10 ** dodge(2 * k, slots, SHARE_STEP))
            others.append(share * 10 ** dodge(2 * k + 1, slots, SHARE_STEP))
            measures.append(change(context, arm, reference))
            printed.append(_printed_gain(arm, reference, table, ladder.table))
            if measures[-1] is None:
                half = 10 ** (SHARE_STEP / 2)
                hatched(axes, xs[-1] / half, xs[-1] * half)
        label = f"data {percent(fraction)}"
        series(axes, xs, measures, fraction_look(k), label, joined=False)
        points(axes, others, printed, fraction_look(k), label, published=True)
    _gain_axis(axes, context, ladder, places)
    if not unplaced:
        return []
    return [f"No planned trainable share, so not in the gain panel: {', '.join(unplaced)}."]


def _printed_gain(arm: Arm, reference: Arm, table: str, reference_table: str) -> float | None:
    """Printed difference in points."""
    mine = published_value(table, arm, "average")
    start = published_value(reference_table, reference, "average")
    return None if mine is None or start is None else 100 * (mine - start)


def _gain_axis(
    axes: Axes, context: RenderContext, ladder: Ladder, places: dict[str, float]
) -> None:
    axes.axhline(0, color=BLACK, linewidth=0.6)
    margin = no_gain_margin(context.law, ladder.arms)
    if margin is not None:
        axes.axhline(margin, **MARGIN_LINE)
    axes.set_ylabel("Gain (points)")
    axes.set_xlabel("Trainable share (%), planned at 7B")
    light_grid(axes)
    axes.margins(y=0.12)
    if not places:
        empty(axes)
        return
    axes.set_xscale("log")
    edge = 10**0.14
    axes.set_xlim(min(places.values()) / edge, min(100.0, max(places.values()) * edge))
    axes.xaxis.set_major_locator(FixedLocator(sorted(places.values())))
    axes.xaxis.set_minor_locator(NullLocator())
    labels = {share: label for label, share in places.items()}
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}\n{labels.get(x, '')}"))
    start = places.get(ladder.size_text(ladder.sizes[0]))
    if start is not None:
        axes.plot(start, 0, marker="o", color=BLACK, markersize=2.5, gid="reference")
