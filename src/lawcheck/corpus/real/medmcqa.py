"""MedMCQA, whose original release counts `cop` from 1, the hub's copy from 0."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import read_jsonl, whole_number
from lawcheck.corpus.real.rows import Choice, Row, choice_row

OPTIONS = ("opa", "opb", "opc", "opd")


def read(path: Path) -> list[Choice]:
    """The original release. Raises InputError."""
    columns = {"id": str, "question": str, "cop": int, **dict.fromkeys(OPTIONS, str)}
    questions = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        what = f"{path.name}, line {number}: column 'cop'"
        gold = whole_number(row["cop"], 1, 4, what) - 1
        options = tuple(row[o] for o in OPTIONS)
        questions.append(Choice(row["id"], row["question"], options, gold))
    return questions


def evaluation_row(question: Choice) -> Row:
    """The hub's columns (`cop` from 0), and ours."""
    options = dict(zip(OPTIONS, question.choices, strict=True))
    return choice_row("medmcqa", question, **options, cop=question.answer)
