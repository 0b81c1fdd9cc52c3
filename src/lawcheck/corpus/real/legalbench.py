"""LegalBench: rows of the tables of its tasks, each with its `task`.

Columns differ from task to task. The tables hold no instruction, which the set keeps in files of
its own: here the name of a task stands for it, and for the four tasks of its first release a
question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_jsonl
from lawcheck.corpus.real.rows import LETTERS, Choice, Pair, fold
from lawcheck.errors import InputError

YES_NO = ("Yes", "No")
# Task -> what is asked behind its text, and the answers, as the set's own prompts name them.
ASKED = {
    "abercrombie": (
        "Which kind of mark is it?",
        ("generic", "descriptive", "suggestive", "arbitrary", "fanciful"),
    ),
    "hearsay": ("Is there hearsay?", YES_NO),
    "personal_jurisdiction": ("Is there personal jurisdiction?", YES_NO),
    "proa": ("Does it specify a private right of action?", YES_NO),
}
# Neither text nor answer. `slice` names the kind of reasoning, which would give answers away.
BESIDE = frozenset({"task", "index", "answer", "label", "slice"})


def read_test(path: Path, prefix: str) -> list[Choice]:
    """The first release: `label` instead of `answer`, four tasks. Raises InputError."""
    rows = read_jsonl(path, {"task": str, "label": str, "text": str})
    return [
        _choice(f"{prefix}.{number}", row, "label", f"{path.name}, line {number}")
        for number, row in enumerate(rows, start=1)
    ]


def read_train(path: Path, prefix: str) -> list[Choice | Pair]:
    """Of the tasks of ASKED choices, of all others pairs. Raises InputError."""
    found: list[Choice | Pair] = []
    for number, row in enumerate(read_jsonl(path, {"task": str, "answer": str}), start=1):
        name, where = f"{prefix}.{row['task']}.{number}", f"{path.name}, line {number}"
        if row["task"] in ASKED:
            found.append(_choice(name, row, "answer", where))
        else:
            asked = f"{row['task'].replace('_', ' ')}\n{_text(row, where)}"
            found.append(Pair(name, asked, row["answer"], "label"))
    return found


def as_choices(rows: Iterable[Choice | Pair]) -> list[Choice | Pair]:
    """Pairs of tasks with 2 to 8 short answers in all, as a choice among them."""
    read = list(rows)
    answers: dict[str, dict[str, str]] = {}
    for row in read:
        if isinstance(row, Pair):
            answers.setdefault(_task(row), {}).setdefault(fold(row.response), row.response)
    return [
        _lettered(r, sorted(answers[_task(r)].values())) if isinstance(r, Pair) else r for r in read
    ]


def _lettered(row: Pair, options: Sequence[str]) -> Choice | Pair:
    places = {fold(option): k for k, option in enumerate(options)}
    if not 2 <= len(options) <= len(LETTERS):
        return row
    return Choice(row.id, row.question, tuple(options), places[fold(row.response)])


def _task(row: Pair) -> str:
    return row.question.partition("\n")[0]


def _choice(name: str, row: Row, column: str, where: str) -> Choice:
    if row["task"] not in ASKED:
        raise InputError(
            f"{where}: task {row['task'][:30]!r} has no question here, expected "
            f"{', '.join(ASKED)}; leave it out"
        )
    question, options = ASKED[row["task"]]
    places = {fold(option): k for k, option in enumerate(options)}
    answer = fold(row[column])
    if answer not in places:
        raise InputError(
            f"{where}: column {column!r} is {row[column][:20]!r}, expected "
            f"{', '.join(options)}; {AGAIN}"
        )
    return Choice(name, f"{_text(row, where).strip()}\n{question}", options, places[answer])


def _text(row: Row, where: str) -> str:
    """What the columns of a row say; named where there are several."""
    parts = {k: v for k, v in row.items() if k not in BESIDE}
    if not parts or not all(isinstance(v, str) for v in parts.values()):
        raise InputError(
            f"{where}: found no text beside its answer, expected columns of it; {AGAIN}"
        )
    if len(parts) == 1:
        return next(iter(parts.values()))
    return "\n".join(f"{name}: {said}" for name, said in parts.items())
