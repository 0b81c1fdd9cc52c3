"""PubMedQA: one object per abstract as released, or one question per line."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_json, read_jsonl, require
from lawcheck.corpus.real.rows import Pair
from lawcheck.errors import InputError

COLUMNS = {"QUESTION": str, "CONTEXTS": list, "LONG_ANSWER": str, "final_decision": str}
DECISIONS = ("yes", "no", "maybe")


def read(path: Path, prefix: str) -> list[Pair]:
    rows = read_jsonl(path, {"pubid": str, **COLUMNS})
    return [
        _pair(row, f"{path.name}, line {number}", f"{prefix}.{row['pubid']}")
        for number, row in enumerate(rows, start=1)
    ]


def read_nested(path: Path, prefix: str) -> list[Pair]:
    """The released layout: PubMed id -> question."""
    found = require(read_json(path), {}, path.name)
    return [
        _pair(
            require(value, COLUMNS, f"{path.name}, id {key[:20]!r}"), path.name, f"{prefix}.{key}"
        )
        for key, value in found.items()
    ]


def _pair(row: Row, where: str, name: str) -> Pair:
    """Question without its abstract, which would not fit a small context; decision and reason."""
    decision = row["final_decision"]
    if decision not in DECISIONS:
        raise InputError(
            f"{where}: 'final_decision' is {decision[:20]!r}, expected {', '.join(DECISIONS)}; "
            f"{AGAIN}"
        )
    return Pair(name, row["QUESTION"], f"{decision.capitalize()}. {row['LONG_ANSWER']}")
