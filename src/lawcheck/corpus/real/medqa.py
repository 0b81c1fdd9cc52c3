"""MedQA (USMLE, four options), one question per line."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl, require
from lawcheck.corpus.real.rows import LETTERS, Choice
from lawcheck.errors import InputError

OPTIONS = tuple(LETTERS[:4])


def read(path: Path, prefix: str) -> list[Choice]:
    """`answer` repeats the text of the option that `answer_idx` names. Raises InputError."""
    columns = {"question": str, "answer": str, "answer_idx": str, "options": dict}
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        where = f"{path.name}, line {number}"
        options = require(row["options"], dict.fromkeys(OPTIONS, str), f"{where}: 'options'")
        gold = row["answer_idx"].strip()
        if gold not in OPTIONS or options[gold] != row["answer"]:
            raise InputError(
                f"{where}: 'answer_idx' is {gold[:20]!r}, expected the letter of the option that "
                f"'answer' repeats; {AGAIN}"
            )
        texts = tuple(options[letter] for letter in OPTIONS)
        found.append(Choice(f"{prefix}.{number}", row["question"], texts, OPTIONS.index(gold)))
    return found
