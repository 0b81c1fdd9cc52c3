"""Mol-Instructions, biomolecular text: `instruction`, `input`, `output`, `metadata`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Columns, read_jsonl, require
from lawcheck.corpus.real.rows import Choice, Pair
from lawcheck.errors import InputError

TRUE_FALSE = "True or False Question"
VERDICTS = ("Yes", "No", "Maybe")
_VERDICT = re.compile(r"(Yes|No|Maybe)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Instruction:
    """task: the name of the task that the row belongs to."""

    pair: Pair
    task: str


def read(path: Path, prefix: str) -> list[Instruction]:
    """`metadata` is an object in the first release and text of one on the hub."""
    columns: Columns = {
        "instruction": str,
        "input": str,
        "output": str,
        "metadata": (dict, str),
    }
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        where = f"{path.name}, line {number}"
        metadata = row["metadata"]
        if isinstance(metadata, str):
            metadata = _literal(metadata, where)
        task = require(metadata, {"task": str}, f"{where}: column 'metadata'")["task"]
        prompt = "\n".join(filter(None, (row["instruction"], row["input"])))
        found.append(Instruction(Pair(f"{prefix}.{number}", prompt, row["output"]), task))
    return found


def verdict(row: Instruction) -> Choice:
    """A true-or-false question as a choice of Yes, No, Maybe. Raises InputError for others."""
    begins = _VERDICT.match(row.pair.response)
    if row.task != TRUE_FALSE or not begins:
        raise InputError(
            f"row {row.pair.id!r}: task {row.task[:40]!r} with answer "
            f"{row.pair.response[:20]!r}, expected {TRUE_FALSE!r} beginning with "
            f"{', '.join(VERDICTS)}; leave it out"
        )
    gold = VERDICTS.index(begins.group(1).capitalize())
    return Choice(row.pair.id, row.pair.question, VERDICTS, gold)


def matched(row: Instruction) -> Pair:
    """A true-or-false question answered with the word that evaluation asks for; others as read."""
    if row.task != TRUE_FALSE:
        return row.pair
    asked = verdict(row)
    return Pair(asked.id, asked.question, asked.choices[asked.answer], "choice")


def _literal(text: str, where: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise InputError(
            f"{where}: column 'metadata' is {text[:30]!r}, expected the text of a dictionary; "
            f"{AGAIN}"
        ) from None
