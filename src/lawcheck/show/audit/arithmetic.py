"""Averages, totals, weighted means and relative changes, recomputed within rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lawcheck.show.audit.declared import Confidence, Finding, Severity, Tables, audits
from lawcheck.show.audit.schema import (
    Printed,
    number,
    present,
    rows,
)


def check(tables: Tables) -> list[Finding]:
    return [
        *averages(tables),
        *(f for a in audits().values() for check in a.arithmetic for f in check(tables)),
    ]


def weighted(
    parts: Mapping[str, Printed], weights: Mapping[str, float], whole: float = math.inf
) -> tuple[float, float]:
    """Smallest and largest weighted mean that the printed parts allow, none above the whole."""
    total = sum(weights[c] for c in parts)
    low = sum(weights[c] * p.low for c, p in parts.items()) / total
    high = sum(weights[c] * min(p.high, max(whole, p.value)) for c, p in parts.items()) / total
    return low, high


def averages(tables: Tables) -> list[Finding]:
    """A printed average against the cells it averages."""
    found = []
    for spec, frame in present(tables):
        for column, weights in spec.means.items():
            for line, row in enumerate(rows(frame), 1):
                printed = number(row[column])
                parts = {c: p for c in weights if (p := number(row[c])) is not None}
                if printed is None or not parts:
                    continue
                # `1.00` beside cells of three digits stands for nothing above 1.
                low, high = weighted(parts, weights, spec.unit)
                if printed.fits(low, high):
                    continue
                middle = sum(weights[c] * p.value for c, p in parts.items()) / sum(
                    weights[c] for c in parts
                )
                note = f"mean of {len(parts)} cells; off by {printed.value - middle:+.4f}"
                severity: Severity = "error"
                confidence: Confidence = "high"
                nonzero = {c: p for c, p in parts.items() if p.value != 0}
                if (
                    nonzero
                    and len(nonzero) < len(parts)
                    and printed.fits(*weighted(nonzero, weights, spec.unit))
                ):
                    note += (
                        f"; it is the mean of the {len(nonzero)} cells that are not 0, so the "
                        f"zeros may stand for tasks that were left out"
                    )
                    severity, confidence = "note", "medium"
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, row {line}, {column}",
                        kind="average",
                        printed=printed.text,
                        recomputed=f"{middle:.4f}",
                        note=note,
                        severity=severity,
                        confidence=confidence,
                    )
                )
    return found
