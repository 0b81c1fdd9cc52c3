"""GSM8K: `question`, and `answer` ending in `#### number`."""

from __future__ import annotations

import re
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl
from lawcheck.corpus.real.rows import Pair, Row, identity
from lawcheck.errors import InputError

_GOLD = re.compile(r"#### *-?[0-9][0-9.,]*\s*\Z")


def read(path: Path, prefix: str) -> list[Pair]:
    """Worded problems. Raises InputError, also for an answer without its final number."""
    pairs = []
    for number, row in enumerate(read_jsonl(path, {"question": str, "answer": str}), start=1):
        if not _GOLD.search(row["answer"]):
            raise InputError(
                f"{path.name}, line {number}: column 'answer' ends in {row['answer'][-20:]!r}, "
                f"expected '#### number'; {AGAIN}"
            )
        pairs.append(Pair(f"{prefix}.{number}", row["question"], row["answer"], "worked"))
    return pairs


def prompt(question: str) -> str:
    """A problem as lm-evaluation-harness words it."""
    return f"Question: {question}\nAnswer:"


def evaluation_row(pair: Pair) -> Row:
    """The hub's columns `question` and `answer`, and ours."""
    return {
        "id": pair.id,
        "task": "gsm8k",
        "question": pair.question,
        "answer": pair.response,
        "cluster": identity(pair.question),
    }
