"""A law's contrasts along the learning rate, from the record of a search on tuning items.

Part of a multiverse: whether a contrast depends on the rate at which its arms were trained. Only
arms that the search trained count; nothing is judged, and no evaluation item is read.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lawcheck.declare.design import AVERAGE, Contrast, Law
from lawcheck.declare.metrics import ACCURACY
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.files.reading import read_object
from lawcheck.show.drawing import light_grid
from lawcheck.show.labels import part_label
from lawcheck.show.style import BLACK, TWO_COLUMNS

NEXT = "run: lawcheck tune --scale {scale} --designs --bases 3"


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """A contrast in points. arms: those that were searched. at: all arms at one rate -> on each
    base model. chosen: every arm at the rate that its search chose, likewise.
    """

    name: str
    arms: tuple[str, ...]
    at: dict[float, list[float]]
    chosen: list[float]


@dataclass(frozen=True)
class _Searched:
    """rates: rate -> arm -> score on each base model."""

    rates: dict[float, dict[str, list[float]]]
    chosen: float


def rate_curves(law: Law, scale: Scale, folder: Path) -> list[RateCurve]:
    """Of each primary part that is a contrast of average accuracy, as far as it was searched.

    Weights on each side are shared out again among its arms that were searched; a part without any
    on one side is left out. Raises InputError where no part is left.
    """
    searched = _records(scale, folder)
    found = []
    for h in law.hypotheses:
        e = h.estimand
        if h.role != "primary" or not isinstance(e, Contrast):
            continue
        if (e.target, e.metric) != (AVERAGE, ACCURACY):
            continue
        sides = [
            {a.name: w for a, w in e.weights if a.name in searched and (w > 0) == positive}
            for positive in (True, False)
        ]
        if not all(sides):
            continue
        weights = {
            name: sign * abs(w) / sum(map(abs, side.values()))
            for sign, side in zip((1, -1), sides, strict=True)
            for name, w in side.items()
        }
        shared = set.intersection(*({*searched[n].rates} for n in weights))
        at = {
            rate: _contrast(weights, {n: searched[n].rates[rate][n] for n in weights})
            for rate in sorted(shared)
            if all(searched[n].rates[rate].get(n) for n in weights)
        }
        best = {n: searched[n].rates[searched[n].chosen][n] for n in weights}
        found.append(
            RateCurve(name=h.name, arms=tuple(weights), at=at, chosen=_contrast(weights, best))
        )
    if not found:
        raise InputError(
            f"rates of law {law.name!r}: {len(searched)} searched arms in {folder} at scale "
            f"{scale.name!r}, none of its contrasts has one on both sides; "
            f"{NEXT.format(scale=scale.name)}"
        )
    return found


def _records(scale: Scale, folder: Path) -> dict[str, _Searched]:
    """Arm -> how it was searched."""
    found: dict[str, _Searched] = {}
    for path in sorted(folder.glob(f"{scale.name}.*.json")):
        record = read_object(path, NEXT.format(scale=scale.name))
        if record.get("scale") != scale.name or "metric" in record:
            continue
        rates: dict[float, dict[str, list[float]]] = {}
        for row in record["searched"]:
            each = row.get("by_seed") or {n: [v] for n, v in row["arms"].items()}
            rates[row["learning_rate"]] = {n: v for n, v in each.items() if None not in v}
        for name in record["searched"][0]["arms"]:
            found[name] = _Searched(rates, record["chosen"])
    return found


def _contrast(weights: Mapping[str, float], scores: Mapping[str, Sequence[float]]) -> list[float]:
    columns = zip(*(scores[n] for n in weights), strict=True)
    return [
        100 * sum(w * s for w, s in zip(weights.values(), column, strict=True))
        for column in columns
    ]


def rates_text(curves: Sequence[RateCurve]) -> str:
    lines = ["contrasts in points, on tuning items; in brackets the range over base models"]
    for curve in curves:
        lines += [f"{curve.name}: {', '.join(curve.arms)}"]
        rows = [*((f"{rate:g}", v) for rate, v in curve.at.items()), ("chosen", curve.chosen)]
        for rate, values in rows:
            mean = statistics.fmean(values)
            lines.append(f"  {rate:>8}  {mean:+6.2f}  ({min(values):+.2f} to {max(values):+.2f})")
    return "\n".join(lines) + "\n"


def build(law: Law, curves: Sequence[RateCurve]) -> Figure:
    """One panel a part: base models as thin lines, their mean as a thick one."""
    figure = Figure(
        figsize=(TWO_COLUMNS, 1.9 * len(curves) + 0.4), layout=ConstrainedLayoutEngine()
    )
    grid = figure.subplots(len(curves), 1, squeeze=False)
    for axes, curve in zip(grid.flat, curves, strict=True):
        axes.axhline(0, color="#BBBBBB", linewidth=0.8)
        rates = list(curve.at)
        for values in zip(*curve.at.values(), strict=True):
            axes.plot(rates, values, color=BLACK, linewidth=0.5, alpha=0.5)
        if rates:
            means = [statistics.fmean(v) for v in curve.at.values()]
            axes.plot(rates, means, color=BLACK, linewidth=1.6, marker="o", markersize=3)
        level = statistics.fmean(curve.chosen)
        axes.axhline(level, color=BLACK, linestyle=":", linewidth=1.0)
        axes.set_xscale("log")
        axes.set_title(part_label(curve.name), loc="left")
        axes.set_ylabel("points")
        light_grid(axes)
    grid[-1, 0].set_xlabel("learning rate of all arms; dotted: each arm at its own")
    figure.suptitle(f"{law.title}: tuning items", fontsize=9, x=0.01, ha="left")
    return figure
