"""One thing an audit noticed, and how sure and how serious it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """where: table, row and column. printed, recomputed: as text, with their digits.

    severity: `error` = the printed numbers contradict each other; `warning` = a reader may be
    misled; `note` = an ambiguity or a count. confidence: that it is not an artefact of layout,
    rounding or an unstated convention.
    """

    paper: str
    where: str
    kind: str
    printed: str
    recomputed: str
    note: str
    severity: Severity
    confidence: Confidence
