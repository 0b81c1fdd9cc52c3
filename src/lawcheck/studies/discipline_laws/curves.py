"""Methods over data fractions: how rough a curve is, and where it peaks.

Roughness is the judge's own measure (lawcheck.judging.stats.roughness), so that a table never
disagrees with a verdict; a curve that lacks a data fraction has none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm
from lawcheck.declare.estimands import Curve
from lawcheck.judging.evidence import MissingScoresError
from lawcheck.judging.stats import paired_t, roughness
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fraction
from lawcheck.show.summary import SEEDS_ONLY, Measure, measure
from lawcheck.studies.discipline_laws.published import published_text, published_value

POINTS = 100.0
# A line has two parameters; a residual needs a third point.
SHORTEST = 3


def by_method(arms: Sequence[Arm]) -> dict[str, Curve]:
    """Method label -> its arms by ascending data fraction."""
    found: dict[str, list[Arm]] = {}
    for arm in arms:
        found.setdefault(method_label(arm), []).append(arm)
    return {label: tuple(sorted(members, key=fraction)) for label, members in found.items()}


def curves(arms: Sequence[Arm]) -> dict[str, Curve]:
    """As `by_method`, without the methods that have fewer than three data fractions."""
    return {
        label: curve
        for label, curve in by_method(arms).items()
        if len({fraction(a) for a in curve}) >= SHORTEST
    }


def roughness_cell(context: RenderContext, curve: Curve, key: str, table: str) -> Cell:
    """Roughness of a curve in points on a discipline, or pooled over them (`average`).

    Pooled: square root of the mean residual variance. Mean over seeds, interval over seeds only.
    table: the published table whose cells give the published roughness, computed here.
    """
    return Cell(
        measure=_roughness(context, curve, key), published=_printed(context, curve, key, table)
    )


def _roughness(context: RenderContext, curve: Curve, key: str) -> Measure | None:
    summary = context.summary
    whole = summary.accuracy(curve[-1], key)
    if whole is None or any(summary.accuracy(a, "average") is None for a in curve):
        return None
    try:
        levels, names, _ = summary.evidence.levels(curve)
    except MissingScoresError:
        # Every fraction has scores, but no seed has them all.
        return None
    values = np.stack([levels[a] for a in curve], axis=-1)
    kept = [k for k, name in enumerate(names) if key in (name, "average")]
    per_seed = _pooled(curve, values[:, kept])
    if np.isnan(per_seed).all():
        return None
    return measure(paired_t(per_seed, whole.n_items), 1.0, SEEDS_ONLY)


def _pooled(curve: Curve, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """values: (..., n_disciplines, n_fractions) in points. Returns (...)."""
    each = roughness([fraction(a) for a in curve], values)
    return np.asarray(np.sqrt((each**2).mean(axis=-1)))


def _printed(context: RenderContext, curve: Curve, key: str, table: str) -> str | None:
    names = [d.name for d in context.science] if key == "average" else [key]
    cells = [[published_value(table, a, name) for a in curve] for name in names]
    if any(v is None for line in cells for v in line):
        return None
    return f"{float(_pooled(curve, POINTS * np.array(cells, dtype=np.float64))):.2f}"


def peak_cell(context: RenderContext, curve: Curve, key: str, table: str) -> Cell:
    """Highest mean accuracy over the data fractions, and at which; the first of equal ones.

    The highest of several noisy means is too high on average, hence no interval.
    """
    means = [context.summary.accuracy(a, key) for a in curve]
    shown = [m.value if m is not None else math.nan for m in means]
    text = [published_text(table, a, key) for a in curve]
    best = None if None in text else max(range(len(curve)), key=lambda k: float(text[k] or 0))
    published = None if best is None else f"{text[best]} ({_at(curve[best])})"
    if any(map(math.isnan, shown)):
        return Cell(published=published)
    at = max(range(len(curve)), key=lambda k: shown[k])
    top = means[at]
    assert top is not None
    highest = dataclasses.replace(top, low=None, high=None, interval="none, highest of several")
    return Cell(measure=highest, published=published, remark=_at(curve[at]))


def _at(arm: Arm) -> str:
    return f"at {100 * fraction(arm):g} %"
