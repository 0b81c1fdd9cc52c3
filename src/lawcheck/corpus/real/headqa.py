"""HeadQA, one question per line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from lawcheck.corpus.real.files import AGAIN, Columns, Row, read_jsonl, require, whole_number
from lawcheck.corpus.real.rows import LETTERS, Choice
from lawcheck.errors import InputError

COLUMNS: Columns = {
    "name": str,
    "category": str,
    "year": (str, int),
    "qid": (str, int),
    "qtext": str,
    "ra": (str, int),
    "answers": list,
    "image": str,
}


def read(path: Path, prefix: str, categories: Collection[str] | None = None) -> list[Choice]:
    """One question per line. Questions about an image that is not part of the set are left out.

    categories: of examinations; None for all. Raises InputError, also where none of them is there.
    """
    rows = read_jsonl(path, COLUMNS)
    found = [
        question
        for number, row in enumerate(rows, start=1)
        if (question := _question(row, f"{path.name}, line {number}", f"{prefix}.{number}"))
        and (categories is None or row["category"] in categories)
    ]
    if categories is not None and not found:
        raise InputError(
            f"{path.name}: found no question of category {' or '.join(categories)}; {AGAIN}"
        )
    return found


def _question(row: Row, where: str, name: str) -> Choice | None:
    options: list[Any] = row["answers"]
    if not 2 <= len(options) <= len(LETTERS):
        raise InputError(
            f"{where}: found {len(options)} answers, expected 2 to {len(LETTERS)}; {AGAIN}"
        )
    texts = {}
    for place, option in enumerate(options, start=1):
        at = f"{where}, answer {place}"
        require(option, {"aid": (int, str), "atext": str}, at)
        texts[whole_number(option["aid"], 1, len(options), f"{at}: 'aid'")] = option["atext"]
    if len(texts) != len(options):
        raise InputError(f"{where}: two answers share an 'aid', expected each once; {AGAIN}")
    gold = whole_number(row["ra"], 1, len(options), f"{where}: column 'ra'")
    if row["image"]:
        return None
    choices = tuple(text for _, text in sorted(texts.items()))
    return Choice(name, row["qtext"], choices, gold - 1)
