"""What a reader of a published number must know: labels with two readings, averages that are off.

The audit's own findings in a sentence each, so that a table which prints a published number
beside a measured one says which reading of the label it took.
"""

from __future__ import annotations

import functools

from lawcheck.published import printed
from lawcheck.published.audit.agreement import readings, repeated_configurations
from lawcheck.published.audit.arithmetic import averages
from lawcheck.published.audit.finding import Finding
from lawcheck.published.audit.schema import SPECS

PAPER = "discipline_laws"


def label_notes(table: str) -> tuple[str, ...]:
    """Notes on one table of the main paper (`table2_if` to `table8_design`); may be empty."""
    where = {s.name: s.where for s in SPECS if s.paper == PAPER}.get(table)
    return tuple(_sentence(f) for f in _findings() if f.where.partition(",")[0] == where)


@functools.cache
def _findings() -> tuple[Finding, ...]:
    # Tables of one paper only: other papers print tables of the same numbers.
    tables = {s.name: printed(s.name) for s in SPECS if s.paper == PAPER}
    return (*readings(tables), *repeated_configurations(tables), *averages(tables))


def _sentence(finding: Finding) -> str:
    note = finding.note.partition("; first")[0].partition(": ")[2]
    if finding.kind == "ambiguous_label":
        return (
            f"A label of the published {finding.where} has two meanings. As taken here, "
            f"{finding.printed.removeprefix('as labelled: ')}; read otherwise ({note}), "
            f"{finding.recomputed.removeprefix('otherwise: ')}."
        )
    if finding.kind == "repeated_configuration":
        return (
            f"Labels of the published {finding.where} have two meanings; read otherwise ({note}), "
            f"{finding.printed}."
        )
    return (
        f"The published {finding.where}: {finding.printed} is printed, the mean of its cells is "
        f"{finding.recomputed}."
    )
