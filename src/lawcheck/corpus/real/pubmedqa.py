"""PubMedQA, one question per line."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_jsonl
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


def _pair(row: Row, where: str, name: str) -> Pair:
    """Question without its abstract, which would not fit a small context; decision and reason."""
    decision = row["final_decision"]
    if decision not in DECISIONS:
        raise InputError(
            f"{where}: 'final_decision' is {decision[:20]!r}, expected {', '.join(DECISIONS)}; "
            f"{AGAIN}"
        )
    return Pair(name, row["QUESTION"], f"{decision.capitalize()}. {row['LONG_ANSWER']}")
