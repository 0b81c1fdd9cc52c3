"""MedQuAD, one question-answer pair per line."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import read_jsonl
from lawcheck.corpus.real.rows import Pair, tidy


def read(path: Path, prefix: str) -> list[Pair]:
    rows = read_jsonl(path, {"qid": str, "Question": str, "Answer": str})
    return [
        Pair(f"{prefix}.{number}", tidy(row["Question"]), tidy(row["Answer"]))
        for number, row in enumerate(rows, start=1)
    ]
