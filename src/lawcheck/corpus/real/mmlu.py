"""MMLU: the hub's layout as JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl, whole_number
from lawcheck.corpus.real.rows import Choice, Row, choice_row
from lawcheck.errors import InputError

OPTIONS = 4


@dataclass(frozen=True)
class Question:
    choice: Choice
    subject: str


def read(path: Path, prefix: str) -> list[Question]:
    """`question`, `subject`, `choices`, `answer` from 0; also gzipped. Raises InputError."""
    columns = {"question": str, "subject": str, "choices": list, "answer": int}
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        where = f"{path.name}, line {number}"
        options = row["choices"]
        if len(options) != OPTIONS or not all(isinstance(o, str) for o in options):
            raise InputError(
                f"{where}: column 'choices' has {len(options)} entries, expected {OPTIONS} "
                f"texts; {AGAIN}"
            )
        gold = whole_number(row["answer"], 0, OPTIONS - 1, f"{where}: column 'answer'")
        choice = Choice(f"{prefix}.{number}", row["question"], tuple(options), gold)
        found.append(Question(choice, row["subject"]))
    return found


def evaluation_row(question: Question) -> Row:
    return choice_row("mmlu", question.choice, subject=question.subject)
