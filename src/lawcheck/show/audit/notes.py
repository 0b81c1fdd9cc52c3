"""What a reader of a published number must know: labels with two readings, averages that are off.

The audit's own findings in a sentence each, so that a table which prints a published number
beside a measured one says which reading of the label it took.
"""

from __future__ import annotations

import functools

from lawcheck.show.audit.agreement import readings, repeated_configurations
from lawcheck.show.audit.arithmetic import averages
from lawcheck.show.audit.declared import Finding, specs
from lawcheck.show.printed import printed


def label_notes(table: str) -> tuple[str, ...]:
    """Notes on one printed table that its study declares for the audit; may be empty."""
    spec = next((s for s in specs() if s.name == table), None)
    if spec is None:
        return ()
    own = _findings(spec.paper)
    return tuple(_sentence(f) for f in own if f.where.partition(",")[0] == spec.where)


@functools.cache
def _findings(paper: str) -> tuple[Finding, ...]:
    # Tables of one paper only: other papers print tables of the same numbers.
    tables = {s.name: printed(s.name) for s in specs() if s.paper == paper}
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
