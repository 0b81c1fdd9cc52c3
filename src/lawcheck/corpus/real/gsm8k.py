"""GSM8K: `question`, and `answer` ending in `#### number`."""

from __future__ import annotations

import re
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl
from lawcheck.corpus.real.rows import Pair, Row, identity
from lawcheck.errors import InputError

_GOLD = re.compile(r"####\s*(-?[0-9][0-9.,]*)\s*\Z")


def read(path: Path, prefix: str) -> list[Pair]:
    """Worded problems. Raises InputError, also for an answer without its final number."""
    pairs = []
    for number, row in enumerate(read_jsonl(path, {"question": str, "answer": str}), start=1):
        answer = worked(row["answer"], f"{path.name}, line {number}")
        pairs.append(Pair(f"{prefix}.{number}", row["question"], answer, "worked"))
    return pairs


def worked(answer: str, where: str) -> str:
    """A worked answer that ends in `#### number`. Raises InputError without its final number.

    The harness takes away all up to "#### ", dollars, commas and a last full stop, and compares
    the rest character by character: with other white space no answer could be right.
    """
    found = _GOLD.search(answer)
    if not found or answer.count("####") > 1:
        raise InputError(
            f"{where}: column 'answer' ends in {answer[-20:]!r}, expected one '#### number' "
            f"there; {AGAIN}"
        )
    return f"{answer[: found.start()]}#### {found.group(1)}"


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
