"""The counts of a built corpus as lines of text: found against published, removed rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def count_table(manifest: Mapping[str, Any]) -> list[str]:
    """One line per data set and per discipline: rows, samples, published, deviation, kept."""
    head = ("discipline", "data set", "rows", "samples", "published", "off", "removed", "kept", "")
    table = [head]
    for line in manifest["counts"]:
        name = {"train": line["set"], "eval": f"{line['set']} (evaluation)"}
        notes = [f"instead of {line['substitute_for']}"] if line.get("substitute_for") else []
        if line["set"] in manifest["accepted"] and _off(line) is not None:
            notes.append("count accepted")
        if line["split"] == "total":
            notes.append(f"{line['written']:,} in the corpus")
        table.append(
            (
                line["discipline"],
                name.get(line["split"], "all"),
                _number(line["rows_read"]),
                _number(line["samples"]),
                _number(line["published"]),
                "" if deviation(line) is None else f"{100 * (deviation(line) or 0.0):+.2f} %",
                _number(line.get("removed")),
                _number(line.get("kept")),
                "; ".join(notes),
            )
        )
    return _aligned(table, left=(0, 1, 8))


def removal_table(manifest: Mapping[str, Any]) -> list[str]:
    """One line per data set and evaluation task that share text."""
    table = [("data set", "evaluation task", "same question", "shared run")]
    for line in manifest["counts"]:
        for task, found in sorted(line.get("removed_by_task", {}).items()):
            table.append((line["set"], task, _number(found["exact"]), _number(found["ngram"])))
    comparison = manifest["comparison"]
    title = (
        f"Removed training rows: the same question as an evaluation item, or a run of "
        f"{comparison['run']} words of it (all of it where it has {comparison['shortest']} to "
        f"{comparison['run'] - 1})"
    )
    return [title, *(_aligned(table, left=(0, 1)) if len(table) > 1 else ["none"])]


def count_faults(manifest: Mapping[str, Any]) -> list[str]:
    """Data sets whose counts differ from the published ones by more than their tolerance."""
    return [
        fault
        for line in manifest["counts"]
        if line["set"] not in manifest["accepted"] and (fault := _off(line)) is not None
    ]


def deviation(line: Row) -> float | None:
    """Share by which the samples found differ from the published count; None without one."""
    published = line["published"]
    return None if not published else line["samples"] / published - 1


def _off(line: Row) -> str | None:
    off = deviation(line)
    if line["split"] == "total" or off is None or abs(off) <= line["tolerance"]:
        return None
    return (
        f"data set {line['set']!r} ({line['split']}): found {line['samples']:,} samples, expected "
        f"{line['published']:,} within {100 * line['tolerance']:g} % ({line['counted_in']})"
    )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _aligned(table: Sequence[Sequence[str]], left: Iterable[int]) -> list[str]:
    left = set(left)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
