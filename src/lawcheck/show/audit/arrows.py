"""Trend arrows against the numbers they stand beside."""

from __future__ import annotations

from lawcheck.show.audit.declared import Finding, Tables
from lawcheck.show.audit.schema import number, present, rows


def check(tables: Tables) -> list[Finding]:
    found = []
    for spec, frame in present(tables):
        if spec.arrows is None or spec.block is None:
            continue
        lines = rows(frame)
        reference = {r[spec.block]: r for r in lines if r["method"] == spec.arrows}
        for line, row in enumerate(lines, 1):
            base = reference.get(row[spec.block])
            if base is None or row is base:
                continue
            for column in spec.values:
                arrow = row.get(f"arrow_{column}", "")
                own, other = number(row[column]), number(base[column])
                if arrow == "" or own is None or other is None:
                    continue
                change = own.value - other.value
                if (arrow == "up" and change > 0) or (arrow == "down" and change < 0):
                    continue
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, row {line}, {column}",
                        kind="arrow",
                        printed=f"{own.text} {arrow}",
                        recomputed=f"{change:+.2f} against {other.text} ({spec.arrows})",
                        note=(
                            f"{row[spec.block]}, {row['method']}: the arrow points {arrow}, the "
                            f"number {'does not move' if change == 0 else 'moves the other way'}"
                        ),
                        # Unrounded values may differ where the printed ones are equal.
                        severity="note" if change == 0 else "error",
                        confidence="medium" if change == 0 else "high",
                    )
                )
    return found
