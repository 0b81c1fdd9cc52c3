"""Questions and pairs as read, and the training and evaluation rows made from them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lawcheck.errors import InputError, nearest

Row = dict[str, Any]

LETTERS = "ABCDEFGH"
SPLITS = ("pretrain", "train", "tune", "eval")
TUNE_SHARE = 0.2  # of the questions of a file that serves both training and tuning
PROMPT_LIMIT = 450  # characters; a longer training prompt would push its answer out of the sample
RESPONSE_LIMIT = 400  # characters; longer free text is cut at a sentence end

_WORDS = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")


@dataclass(frozen=True)
class Choice:
    """A multiple-choice question. answer: index into choices, from 0.

    about: what is asked about, where one thing is asked in several wordings (a molecule).
    """

    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    about: str = ""


@dataclass(frozen=True)
class Pair:
    """A question or instruction and its answer in text. kind: only `open` answers may be cut."""

    id: str
    question: str
    response: str
    kind: str = "open"
    about: str = ""


def words(text: str) -> list[str]:
    """Case, punctuation and compatibility forms folded away."""
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def fold(text: str) -> str:
    """Equal for texts that are the same question to a reader."""
    folded = " ".join(words(text))
    # Formulas of symbols only ("+", "=") would all fold to nothing.
    return folded or text.strip()


def unit(*parts: str) -> float:
    """Uniform hash of the parts in [0, 1)."""
    raw = hashlib.sha256("\x1f".join(parts).encode()).digest()[:7]
    return int.from_bytes(raw, "big") / 2**56


def held_out(question: str) -> bool:
    """Whether a question belongs to tuning, in whatever file and discipline it occurs."""
    return unit("tune", fold(question)) < TUNE_SHARE


def identity(question: str) -> str:
    """Short name of a question, equal for its copies; groups dependent items."""
    return hashlib.sha256(fold(question).encode()).hexdigest()[:12]


def tidy(text: str) -> str:
    """Runs of white space become one space."""
    return " ".join(text.split())


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters: cut after the last sentence, else after the last word."""
    text = text.strip()
    if len(text) <= limit:
        return text
    ends = [m.end() for m in _SENTENCE_END.finditer(text, 0, limit + 1) if m.end() <= limit]
    if ends:
        return text[: ends[-1]]
    return text[: limit + 1].rsplit(maxsplit=1)[0][:limit]


def lettered(choice: Choice) -> str:
    """The prompt of a multiple-choice question, as the evaluation tasks word it."""
    options = "".join(f"{LETTERS[i]}. {text}\n" for i, text in enumerate(choice.choices))
    return f"Question: {choice.question}\nChoices:\n{options}Answer:"


def training_row(discipline: str, item: Choice | Pair) -> Row | None:
    """A training row, or None where prompt or answer would not fit."""
    if isinstance(item, Choice):
        kind, prompt, response = "choice", lettered(item), LETTERS[item.answer]
    else:
        kind, prompt, response = item.kind, item.question, item.response.strip()
    if len(prompt) > PROMPT_LIMIT or not prompt.strip() or not response:
        return None
    if kind == "open":
        response = shorten(tidy(response), RESPONSE_LIMIT)
    elif len(response) > RESPONSE_LIMIT:
        return None
    return {
        "id": item.id,
        "discipline": discipline,
        "kind": kind,
        "prompt": prompt,
        "response": response,
    }


def choice_row(task: str, item: Choice, **columns: Any) -> Row:
    """An evaluation row of a multiple-choice task."""
    return {
        "id": item.id,
        "task": task,
        "question": item.question,
        "choices": list(item.choices),
        "answer": item.answer,
        "cluster": identity(item.about or item.question),
        **columns,
    }


def serve(
    split: str,
    n: int | None,
    *,
    discipline: str,
    pool: Callable[[], Iterable[Choice | Pair]] | None,
    items: Mapping[str, Callable[[str], Sequence[Row]]],
) -> list[Row]:
    """The first n rows of a split, or all (n None), in an order fixed by the rows' ids.

    pool: what may be trained on. Rows that do not fit, copies, questions held out for tuning
    and questions that this discipline's tasks ask are left out; `tune` leaves out what `eval`
    asks. `pretrain` is the same pool from its other end, so that it meets `train` only when
    together they exceed the pool.
    items: task -> rows of a split; for `tune` and `eval` n counts rows of each task.
    Raises InputError for an unknown split or one that the discipline lacks.
    """
    if split not in SPLITS:
        raise InputError(f"split {split!r}: unknown; {nearest(split, SPLITS)}")
    if n is not None and n < 0:
        raise InputError(f"split {split!r}: found {n} rows asked for, expected 0 or more")
    asked = {task: read("eval") for task, read in items.items()}
    taken = {row["cluster"] for rows in asked.values() for row in rows}
    if split != "eval":
        asked = {
            task: [row for row in read("tune") if row["cluster"] not in taken]
            for task, read in items.items()
        }
    if split in ("tune", "eval"):
        return same_columns([row for rows in asked.values() for row in shuffled(rows)[:n]])
    if pool is None:
        raise InputError(f"discipline {discipline!r}: no {split} split; evaluation only")
    taken |= {row["cluster"] for rows in asked.values() for row in rows}
    rows, seen = [], set()
    for item in pool():
        row = training_row(discipline, item)
        question = item.about or item.question
        if row is None or held_out(question) or identity(question) in taken:
            continue
        if (key := (fold(row["prompt"]), row["response"])) not in seen:
            seen.add(key)
            rows.append(row)
    ordered = shuffled(rows)
    return (ordered if split == "train" else ordered[::-1])[:n]


def shuffled(rows: Sequence[Row]) -> list[Row]:
    """In an order fixed by the ids, whatever order they came in."""
    return sorted(rows, key=lambda row: (unit("order", row["id"]), row["id"]))


def same_columns(rows: list[Row]) -> list[Row]:
    """Rows of several tasks share a file, whose reader wants the same columns on each line."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]
