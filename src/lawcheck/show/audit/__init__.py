"""Audit of published tables: generic checks that find; nothing is looked up.

Every check reads the printed cells and the structure that studies declare (`declared`). Published
cells are single runs: a contrast among them is judged as such and never holds across seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lawcheck.declare import discovery
from lawcheck.show.audit import (
    agreement,
    arithmetic,
    arrows,
    granularity,
    repetition,
    words,
)
from lawcheck.show.audit.contrasts import judge_claims
from lawcheck.show.audit.declared import Finding, audits, claims
from lawcheck.show.printed import printed, table_names

__all__ = ["Finding", "audit", "write_audit"]

SEVERITIES = ("error", "warning", "note")


def audit(tables: Mapping[str, pd.DataFrame] | None = None) -> list[Finding]:
    """Every finding, the most serious first.

    tables: name -> printed cells as text, in the form of `lawcheck.show.printed.printed`; the
    packaged tables by default. Absent tables are passed over.
    """
    chosen = _packaged() if tables is None else tables
    contrasts = judge_claims(chosen, claims())
    found = [
        *arithmetic.check(chosen),
        *agreement.check(chosen),
        *repetition.check(chosen),
        *arrows.check(chosen),
        *granularity.check(chosen),
        *(f for a in audits().values() for check in a.further for f in check(chosen)),
        *words.check(chosen, contrasts),
    ]
    papers = list(discovery.studies())
    return sorted(found, key=lambda f: (papers.index(f.paper), SEVERITIES.index(f.severity)))


def write_audit(folder: Path, tables: Mapping[str, pd.DataFrame] | None = None) -> list[Path]:
    """Write audit.json, audit.md and the forest plot of the claimed contrasts (PDF and PNG)."""
    # Drawing is slow to import; `audit` alone does not need it.
    from lawcheck.show.audit.report import write

    chosen = _packaged() if tables is None else tables
    return write(folder, audit(chosen), judge_claims(chosen, claims()))


def _packaged() -> dict[str, pd.DataFrame]:
    return {name: printed(name) for name in table_names()}
