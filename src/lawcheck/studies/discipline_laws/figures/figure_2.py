"""Figure 2: accuracy against the share of training data, by method.

A small model's levels and a 7B model's cannot share an axis with their middle in common, so the
printed values of Table 4 stand in panels of their own, of equal range, beside ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from lawcheck.declare.design import Arm
from lawcheck.declare.estimands import Curve
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    LEVELS,
    Look,
    dodge,
    finish,
    legend_handle,
    light_grid,
    method_looks,
    panel_title,
    percent,
    points,
    scores,
    seeds_text,
)
from lawcheck.show.selection import fitting, fraction
from lawcheck.show.style import BLACK, TWO_COLUMNS, Picture, hatched
from lawcheck.studies.discipline_laws.curves import by_method
from lawcheck.studies.discipline_laws.published import SCALE, departures_of, published_value

FIGURE = Picture(
    name="figure_2",
    law="variability",
    title="Figure 2. Accuracy over data fractions",
    caption=(
        "Accuracy against the share of each discipline's training data (logarithmic), by method. "
        "a: measured here. b: the published values, another scale, one run each and therefore "
        "without an interval. All panels of a and b span the same height, those of a row the same "
        "range, so that roughness compares by eye. c: change against discipline LoRA at the same "
        "share of the data, methods side by side within each share; discipline LoRA's own "
        "roughness is in every series of c. Hatched: no scores. " + LEVELS
    ),
)
PRINTED = "table4_scales"
REFERENCE = "Discipline LoRA"
# Half a hatched gap on the logarithmic axis, in decades; between methods of a share in c.
HALF_GAP, STEP = 0.012, 0.19
ROW = 1.12
BAND = "#F4F4F4"
Curves = dict[str, Curve]


def build(context: RenderContext) -> Figure:
    curves = by_method(fitting(context, FIGURE.name, lambda a: not departures_of(a)))
    arms = [a for curve in curves.values() for a in curve]
    context.summary.require(arms, FIGURE.name)
    looks = method_looks(arms)
    curves = {name: curves[name] for name in looks}
    targets = {d.name: d.title for d in context.science} | {"average": "Average"}
    printed = any(published_value(PRINTED, a, t) is not None for a in arms for t in targets)
    against = REFERENCE in curves and len(curves) > 1
    figure = Figure(figsize=(TWO_COLUMNS, 0.9 + ROW * len(targets)), layout="constrained")
    columns = 1 + printed + against
    panels = figure.subplots(len(targets), columns, sharex="col", squeeze=False)
    for axes, target in zip(panels[:, 0], targets, strict=True):
        _ours(axes, context, target, curves, looks)
        axes.set_ylabel(targets[target])
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in arms)
    panel_title(panels[0, 0], 0, f"Measured, scale\n{context.shown_scale}, {seeds}")
    if printed:
        for axes, target in zip(panels[:, 1], targets, strict=True):
            _theirs(axes, target, curves, looks)
        panel_title(panels[0, 1], 1, f"{SCALE[0].upper()}{SCALE[1:]}")
    _equal_heights(panels[:, : 1 + printed])
    for k in range(1 + printed):
        _fraction_axis(panels[-1, k], arms)
    if against:
        for axes, target in zip(panels[:, -1], targets, strict=True):
            _changes(axes, context, target, curves, looks)
        _change_axes(panels[:, -1].tolist(), arms)
        panel_title(panels[0, -1], columns - 1, "Measured, less discipline\nLoRA (points)")
    figure.align_ylabels(panels[:, 0])
    handles = [legend_handle(looks[n], n, joined=len(c) > 1) for n, c in curves.items()]
    named = {a: f"{n} {percent(fraction(a))}" for n, curve in curves.items() for a in curve}
    return finish(figure, context, handles, named, handlelength=3.2)


def _ours(
    axes: Axes, context: RenderContext, target: str, curves: Curves, looks: dict[str, Look]
) -> None:
    for name, curve in curves.items():
        xs = [100 * fraction(a) for a in curve]
        measures = [context.summary.accuracy(a, target) for a in curve]
        values = [None if m is None else m.value for m in measures]
        points(axes, xs, values, looks[name], name, joined=len(curve) > 1, size=3.0)
        # Gaps are of equal width on the logarithmic axis.
        for x, m in zip(xs, measures, strict=True):
            if m is None:
                hatched(axes, x * 10**-HALF_GAP, x * 10**HALF_GAP)


def _theirs(axes: Axes, target: str, curves: Curves, looks: dict[str, Look]) -> None:
    for name, curve in curves.items():
        values = [published_value(PRINTED, a, target) for a in curve]
        xs = [100 * fraction(a) for a in curve]
        joined = len(curve) > 1
        points(axes, xs, values, looks[name], name, joined, size=3.0, published=True)


def _changes(
    axes: Axes, context: RenderContext, target: str, curves: Curves, looks: dict[str, Look]
) -> None:
    """Every method's difference from the reference, at each share that both have."""
    shares = _shares([a for curve in curves.values() for a in curve])
    alone = {fraction(a): a for a in curves[REFERENCE]}
    others = [name for name in curves if name != REFERENCE]
    for k, name in enumerate(others):
        pairs = [(a, alone[fraction(a)]) for a in curves[name] if fraction(a) in alone]
        xs = [shares.index(fraction(a)) + dodge(k, len(others), STEP) for a, _ in pairs]
        measures = [change(context, a, reference, target) for a, reference in pairs]
        scores(axes, xs, measures, looks[name], name, STEP / 2, size=2.6)
    axes.axhline(0, color=BLACK, linewidth=0.6)
    light_grid(axes)


def _change_axes(panels: Sequence[Axes], arms: Sequence[Arm]) -> None:
    """One place a share, banded, and one range for all targets."""
    shares = _shares(arms)
    ends = [axes.get_ylim() for axes in panels if axes.containers]
    for axes in panels:
        for k in range(0, len(shares), 2):
            axes.axvspan(k - 0.5, k + 0.5, color=BAND, linewidth=0, zorder=0)
        if ends:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
    last = panels[-1]
    last.set_xticks(range(len(shares)), [f"{100 * f:g}" for f in shares])
    last.set_xlim(-0.5, len(shares) - 0.5)
    last.set_xlabel("Training data (%)")


def _shares(arms: Sequence[Arm]) -> list[float]:
    return sorted({fraction(a) for a in arms})


def _equal_heights(panels: NDArray[np.object_]) -> None:
    """Every panel of one height in accuracy, those of a row around one middle."""
    reach = []
    for line in panels:
        values = [v for axes in line for found in axes.lines for v in found.get_ydata()]
        known = [v for v in values if not math.isnan(v)]
        reach.append((min(known), max(known)) if known else None)
    height = 1.15 * max((r[1] - r[0] for r in reach if r), default=1.0) or 0.1
    for line, ends in zip(panels, reach, strict=True):
        for axes in line:
            if ends is None:
                axes.set_yticks([])
            else:
                middle = sum(ends) / 2
                axes.set_ylim(middle - height / 2, middle + height / 2)
            light_grid(axes)


def _fraction_axis(axes: Axes, arms: Sequence[Arm]) -> None:
    shares = [100 * f for f in _shares(arms)]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{f:g}" for f in shares])
    axes.set_xlim(shares[0] if len(shares) > 1 else shares[0] / 2, shares[-1])
    axes.set_xlabel("Training data (%)")
