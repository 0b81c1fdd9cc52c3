"""MMLU: the hub's layout as JSON lines, or the original header-less CSV of one subject."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_csv, read_jsonl, whole_number
from lawcheck.corpus.real.rows import LETTERS, Choice, Row, choice_row
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


def read_original(path: Path, prefix: str) -> list[Question]:
    """`<subject>_<split>.csv` with question, four options and a letter. Raises InputError."""
    subject = path.stem.rsplit("_", 1)[0]
    found = []
    for number, (question, *options, letter) in enumerate(read_csv(path, OPTIONS + 2), start=1):
        if letter not in LETTERS[:OPTIONS] or len(letter) != 1:
            raise InputError(
                f"{path.name}, row {number}: answer {letter[:20]!r}, expected a letter of "
                f"{LETTERS[:OPTIONS]}; {AGAIN}"
            )
        choice = Choice(f"{prefix}.{number}", question, tuple(options), LETTERS.index(letter))
        found.append(Question(choice, subject))
    return found


def evaluation_row(question: Question) -> Row:
    return choice_row("mmlu", question.choice, subject=question.subject)
