"""Figure 2: accuracy against the share of training data, by method.

A small model's levels and a 7B model's cannot share an axis, and the change against discipline
LoRA, which could, would put discipline LoRA's own roughness into every other curve. So the
printed values of Table 4 stand in panels of their own, beside ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from lawcheck.declare.estimands import Curve
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    Look,
    dodge,
    finish,
    legend_handle,
    light_grid,
    method_looks,
    percent,
    published_points,
    seeds_text,
    series,
)
from lawcheck.show.selection import fitting, fraction
from lawcheck.show.style import TWO_COLUMNS, Picture, hatched
from lawcheck.studies.discipline_laws.curves import by_method
from lawcheck.studies.discipline_laws.published import SCALE, departures_of, published_value

FIGURE = Picture(
    name="figure_2",
    law="variability",
    title="Figure 2. Accuracy over data fractions",
    caption=(
        "Accuracy against the share of each discipline's training data (logarithmic), by method. "
        "Left: measured here, mean and 95 % interval (seeds and items crossed), methods set side "
        "by side for legibility; hatched: no scores. Right: the published values, another scale, "
        "one run each and therefore without an interval. The panels of a column span the same "
        "height around centres of their own, so that roughness compares by eye down a column; "
        "levels do not compare across."
    ),
)
PRINTED = "table4_scales"
# Decades between neighbouring methods.
STEP = 0.024
ROW = 1.12
Curves = dict[str, Curve]
Draw = Callable[[Axes, str], list[float]]


def build(context: RenderContext) -> Figure:
    curves = by_method(fitting(context, FIGURE.name, lambda a: not departures_of(a)))
    arms = [a for curve in curves.values() for a in curve]
    context.summary.require(arms, FIGURE.name)
    looks = method_looks(arms)
    curves = {name: curves[name] for name in looks}
    targets = {d.name: d.title for d in context.science} | {"average": "Average"}
    columns: dict[str, Draw] = {
        f"measured, scale {context.shown_scale}, "
        + seeds_text(context.summary.accuracy(a, "average") for a in arms): (
            lambda axes, target: _ours(axes, context, target, curves, looks)
        )
    }
    if any(published_value(PRINTED, a, t) is not None for a in arms for t in targets):
        columns[SCALE] = lambda axes, target: _theirs(axes, target, curves, looks)
    figure = Figure(figsize=(TWO_COLUMNS, 0.9 + ROW * len(targets)), layout="constrained")
    panels = figure.subplots(len(targets), len(columns), sharex=True, squeeze=False)
    for k, (title, draw) in enumerate(columns.items()):
        _column(panels[:, k].tolist(), title, list(targets), curves, draw)
    for axes, title in zip(panels[:, 0], targets.values(), strict=True):
        axes.set_ylabel(title)
    figure.align_ylabels(panels[:, 0])
    handles = [legend_handle(looks[n], n, joined=len(c) > 1) for n, c in curves.items()]
    named = {a: f"{n} {percent(fraction(a))}" for n, curve in curves.items() for a in curve}
    return finish(figure, context, handles, named, handlelength=3.2)


def _column(
    panels: Sequence[Axes], title: str, targets: Sequence[str], curves: Curves, draw: Draw
) -> None:
    """One panel a target, all of one height in accuracy."""
    panels[0].set_title(title, loc="left")
    reach: dict[Axes, tuple[float, float]] = {}
    for axes, target in zip(panels, targets, strict=True):
        values = draw(axes, target)
        if values:
            reach[axes] = (min(values), max(values))
        else:
            axes.set_yticks([])
        light_grid(axes)
    height = 1.1 * max((high - low for low, high in reach.values()), default=1.0) or 0.1
    for axes, (low, high) in reach.items():
        middle = (low + high) / 2
        axes.set_ylim(middle - height / 2, middle + height / 2)
    fractions = sorted({fraction(a) for curve in curves.values() for a in curve})
    last = panels[-1]
    last.set_xscale("log")
    last.xaxis.set_major_locator(FixedLocator([100 * f for f in fractions]))
    last.xaxis.set_minor_locator(NullLocator())
    last.set_xticklabels([f"{100 * f:g}" for f in fractions])
    edge = 10 ** (STEP * (len(curves) / 2 + 0.5))
    last.set_xlim(100 * fractions[0] / edge, 100 * fractions[-1] * edge)
    last.set_xlabel("Training data (%)")


def _places(curves: Curves, name: str) -> list[float]:
    k = list(curves).index(name)
    shift = 10 ** dodge(k, len(curves), STEP)
    return [100 * fraction(a) * shift for a in curves[name]]


def _ours(
    axes: Axes, context: RenderContext, target: str, curves: Curves, looks: dict[str, Look]
) -> list[float]:
    """Draw the measured curves; the numbers that the panel must hold."""
    held: list[float] = []
    for name, curve in curves.items():
        xs = _places(curves, name)
        measures = [context.summary.accuracy(a, target) for a in curve]
        series(axes, xs, measures, looks[name], name, joined=len(curve) > 1, size=3.0)
        for x, m in zip(xs, measures, strict=True):
            if m is None:
                hatched(axes, x * 10 ** (-STEP / 2), x * 10 ** (STEP / 2))
            else:
                held += [m.value - (m.half or 0.0), m.value + (m.half or 0.0)]
    return held


def _theirs(axes: Axes, target: str, curves: Curves, looks: dict[str, Look]) -> list[float]:
    """Draw the printed curves; the numbers that the panel must hold."""
    held: list[float] = []
    for name, curve in curves.items():
        values = [published_value(PRINTED, a, target) for a in curve]
        joined = len(curve) > 1
        published_points(axes, _places(curves, name), values, looks[name], name, joined, size=3.0)
        held += [v for v in values if v is not None]
    return held
