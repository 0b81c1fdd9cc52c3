"""FinEval, questions with four options in Chinese: the rows of its CSV files, one per line."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl
from lawcheck.corpus.real.rows import LETTERS, Choice
from lawcheck.errors import InputError

OPTIONS = tuple(LETTERS[:4])


def read(path: Path, prefix: str) -> list[Choice]:
    """`id` counts inside a subject. One published letter has a blank behind it."""
    columns = dict.fromkeys(("subject", "id", "question", *OPTIONS, "answer"), str)
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        gold = row["answer"].strip()
        if gold not in OPTIONS:
            raise InputError(
                f"{path.name}, line {number}: column 'answer' is {gold[:20]!r}, expected A to D; "
                f"{AGAIN}"
            )
        name = f"{prefix}.{row['subject']}.{row['id']}"
        texts = tuple(row[letter] for letter in OPTIONS)
        found.append(Choice(name, row["question"], texts, OPTIONS.index(gold)))
    return found
