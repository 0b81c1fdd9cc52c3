"""GeoBench: NPEE questions (choice and open) and AP study questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_json, read_jsonl, read_text, require
from lawcheck.corpus.real.rows import LETTERS, Choice, Pair, shorten, tidy, unit
from lawcheck.errors import InputError

BLOCKS = ("noun", "choice", "completion", "tf", "qa", "discussion")
_OPTION = re.compile(r"^([A-Z])\. ?(.*)$")
_BLOCKS = re.compile(rf'\s*\{{\s*"({"|".join(BLOCKS)})"\s*:')
_HEADING = "Choose from:"
OPTIONS = 4
OPTION_LIMIT = 80  # characters
_WORDING = {
    "noun": "Explain the term: {}",
    "completion": "Complete the sentence: {}",
    "tf": "True or false: {}",
    "qa": "{}",
    "discussion": "Discuss: {}",
}
_ASKED_SO = tuple(_WORDING[block].partition(": ")[0] for block in ("noun", "completion"))


def read_npee(path: Path, prefix: str) -> list[Choice | Pair]:
    """One question per line: `category`, `question`, `answer`; or blocks of them, as published.

    Questions whose gold letter none of their options carries (two, as published) are left out,
    because no choice could be right. Raises InputError.
    """
    columns = {"category": str, "question": str, "answer": str}
    blocks = _BLOCKS.match(read_text(path))
    rows = _of_blocks(path) if blocks else read_jsonl(path, columns)
    read = (
        npee_question(row, f"{path.name}, line {number}", f"{prefix}.{number}")
        for number, row in enumerate(rows, start=1)
    )
    return [question for question in read if question is not None]


def _of_blocks(path: Path) -> list[Row]:
    """Rows of an object that holds parallel lists of questions and answers by category."""
    rows = []
    for category, block in read_json(path).items():
        where = f"{path.name}, block {category[:20]!r}"
        lists = require(block, {"question": list, "answer": list}, where)
        questions, answers = lists["question"], lists["answer"]
        if len(questions) != len(answers):
            raise InputError(
                f"{where}: found {len(questions)} questions and {len(answers)} answers, expected "
                f"as many; {AGAIN}"
            )
        for question, answer in zip(questions, answers, strict=True):
            rows.append({"category": category, "question": question, "answer": answer})
    return rows


def read_apstudy(path: Path, prefix: str) -> list[Choice]:
    """`question` holds `stem` and labelled `choices`; the published `id` is the same throughout."""
    rows = read_jsonl(path, {"question": dict, "answerKey": str})
    read = (
        apstudy_question(row, f"{path.name}, line {number}", f"{prefix}.{number}")
        for number, row in enumerate(rows, start=1)
    )
    return [question for question in read if question is not None]


def apstudy_question(row: Row, where: str, name: str) -> Choice | None:
    """A row as a question; None where no option carries its gold letter. Raises InputError."""
    require(row, {"question": dict, "answerKey": str}, where)
    question = require(row["question"], {"stem": str, "choices": list}, where)
    options = []
    for option in question["choices"]:
        require(option, {"text": str, "label": str}, f"{where}, choices")
        options.append((option["label"], option["text"]))
    return _choice(name, question["stem"], options, row["answerKey"], where)


def npee_question(row: Row, where: str, name: str) -> Choice | Pair | None:
    """None for a choice of which no option carries the gold letter."""
    require(row, {"category": str, "question": str, "answer": str}, where)
    category, text, answer = row["category"], row["question"], row["answer"].strip()
    if category not in BLOCKS:
        raise InputError(
            f"{where}: category {category[:20]!r}, expected one of {', '.join(BLOCKS)}; {AGAIN}"
        )
    if category != "choice":
        return Pair(name, _WORDING[category].format(text.strip()), answer, about=text.strip())
    stem, heading, tail = text.partition(_HEADING)
    if not heading:
        raise InputError(f"{where}: found no {_HEADING!r} in 'question', expected options; {AGAIN}")
    options: list[tuple[str, str]] = []
    for line in tail.split("\n"):
        match = _OPTION.match(line.strip())
        if match:
            options.append((match.group(1), match.group(2).strip()))
        elif line.strip() and options:
            options[-1] = (options[-1][0], f"{options[-1][1]} {line.strip()}")
    return _choice(name, stem.strip(), options, answer, where)


def short_answers(rows: Iterable[Choice | Pair]) -> dict[str, list[str]]:
    """Answers of terms and of gaps, cut to an option's length, each once."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in _ASKED_SO}
    for row in rows:
        kind = row.question.partition(": ")[0]
        if isinstance(row, Pair) and kind in found:
            found[kind][shorten(tidy(row.response), OPTION_LIMIT)] = None
    return {kind: [text for text in texts if text] for kind, texts in found.items()}


def as_choice(pair: Pair, answers: Mapping[str, Sequence[str]]) -> Choice | None:
    """A term or a gap as a choice of four: three answers belong to others of its kind.

    answers: as of `short_answers`; they are drawn by hash. None for another kind of question, and
    where there are too few.
    """
    others = answers.get(pair.question.partition(": ")[0], ())
    own = shorten(tidy(pair.response), OPTION_LIMIT)
    if not own or len(others) < OPTIONS:
        return None
    ranked = sorted(others, key=lambda text: unit("distractor", pair.id, text))
    drawn = [text for text in ranked if text != own][: OPTIONS - 1]
    ordered = sorted((own, *drawn), key=lambda text: unit("option", pair.id, text))
    return Choice(pair.id, pair.question, tuple(ordered), ordered.index(own), pair.about)


def _choice(
    name: str, stem: str, options: list[tuple[str, str]], gold: str, where: str
) -> Choice | None:
    """Options in the order of their labels (some are published out of order)."""
    # The sort is stable: a label that stands twice keeps the published order of its options.
    ordered = sorted(options, key=lambda option: option[0])
    labels = [label for label, _ in ordered]
    known = len(gold) == 1 and gold in LETTERS
    if not 2 <= len(options) <= len(LETTERS) or not known or labels.count(gold) > 1:
        raise InputError(
            f"{where}: answer {gold[:20]!r} among options {', '.join(labels)[:40] or 'none'}, "
            f"expected one letter of 2 to {len(LETTERS)} labelled options; {AGAIN}"
        )
    if gold not in labels:
        return None
    return Choice(name, stem, tuple(text for _, text in ordered), labels.index(gold))
