"""Evaluation rows of the paper's benchmarks, from their releases: hub columns beside ours.

Every row has id, task, cluster and `question` or `prompt`, multiple-choice rows `choices` and
`answer` (from 0); lawcheck.corpus.contamination compares training rows with them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lawcheck.corpus.real import geobench, ifeval
from lawcheck.corpus.real import medmcqa as original_medmcqa
from lawcheck.corpus.real.files import AGAIN, Row
from lawcheck.corpus.real.gsm8k import worked
from lawcheck.corpus.real.rows import LETTERS, Choice, choice_row, identity, tidy
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Biotext, Choices, kept, text
from lawcheck.corpus.sources.staging import placed, staged
from lawcheck.errors import InputError

Reader = Callable[[DataSet, Path], list[Row]]

_LETTER = re.compile(r"\(([A-H])\)(?!-)")
_CLAUSE = re.compile(r"[.;!?\n]|,? *\b(?:but|while|whereas|hence|therefore|thus|so)\b|, (?=it\b)")
_STATED = re.compile(
    r"\b(?:answer|choice|solution|correct(?: (?:answer|option|choice))?)\b(?: is| would be|:)*"
    r"(?: option| choice)? ?\([A-H]\)(?!-)(?:(?:,? (?:and|or) |, )\([A-H]\)(?!-))*|"
    r"\([A-H]\)(?!-)[^.;(]{0,60}?\bis (?:the )?(?:correct|right|answer)|\bit is \([A-H]\)",
    re.IGNORECASE,
)
# A letter at the beginning, unless it is one of several or what follows weighs it.
_BEGINS = re.compile(
    r"\(([A-H])\)(?!-)(?!\s*[?,/&(+]|\s*(?:and|or|would|could|seems?|may|might|is true)\b)"
)
_BARE = re.compile(r"\b(?:[Aa]nswer|[Oo]ption|[Cc]hoice)(?: is|:)* ([A-H])\b(?!-)")
_DENIED = re.compile(
    r"\b(?:not|n't|wrong|incorrect|false|neither|nor|rather than|unlike|instead of|excluded|"
    r"ruled out)\b|n't\b",
    re.IGNORECASE,
)


def gsm8k(data_set: DataSet, data: Path) -> list[Row]:
    """Question and worked answer as published; the harness compares the number at its end."""
    return [
        {
            "id": name,
            "task": "gsm8k",
            "question": text(row, "question", where),
            "answer": worked(text(row, "answer", where), where),
            "cluster": identity(text(row, "question", where)),
        }
        for name, where, row in placed(data_set, data)
    ]


def medmcqa(data_set: DataSet, data: Path) -> list[Row]:
    return [original_medmcqa.evaluation_row(c) for c, _, _ in _choices(data_set, data)]


def mmlu(data_set: DataSet, data: Path) -> list[Row]:
    return [
        choice_row("mmlu", choice, subject=text(row, "subject", where))
        for choice, where, row in _choices(data_set, data)
    ]


def chembench(data_set: DataSet, data: Path) -> list[Row]:
    """One task per file: `Name_Conversion_benchmark.json` is `chembench_name_conversion`."""
    rows = []
    for choice, where, _ in _choices(data_set, data):
        file = where.split(": ", 1)[1].split(",", 1)[0].split("_benchmark")[0]
        rows.append(lettered_choice(choice, f"chembench_{file.lower()}"))
    return rows


def lettered_choice(choice: Choice, task: str) -> Row:
    """A question of ChemBench; its copies are those with the very same text."""
    # Folding would make one question of molecules that differ in their bonds only.
    exact = tidy(choice.question)
    cluster = hashlib.sha256(exact.encode()).hexdigest()[:12]
    return choice_row(task, choice, cluster=cluster)


def instructions(data_set: DataSet, data: Path) -> list[Row]:
    """IFEval."""
    return [row for path in staged(data_set, data) for row in ifeval.read(path)]


def mol_instructions(data_set: DataSet, data: Path) -> list[Row]:
    """Mol-Instructions' multiple-choice questions of the test part."""
    assert isinstance(data_set.mapping, Biotext)
    return [
        biotext_choice(row, where, name)
        for name, where, row in placed(data_set, data)
        if data_set.mapping.belongs(row, where)
    ]


def biotext_choice(row: Row, where: str, name: str) -> Row:
    """Options stand in the text as `(A) ...`; gold is the letter that `output` gives as answer.

    Raises InputError for a row without options or without one gold letter among them.
    """
    asked = "\n".join(filter(None, (text(row, c, where) for c in ("instruction", "input"))))
    starts: list[int] = []
    for letter in LETTERS:
        # "(E)-" begins the name of a stereoisomer.
        label = re.compile(rf"\({letter}\)(?!-)").search(asked, starts[-1] if starts else 0)
        if label is None:
            break
        starts.append(label.start())
    gold = given_letter(text(row, "output", where))
    if len(starts) < 2 or gold is None or gold not in LETTERS[: len(starts)]:
        raise InputError(
            f"{where}: found {len(starts)} options and answer {text(row, 'output', where)[:30]!r}, "
            f"expected options labelled (A), (B) and so on and one of them in brackets; {AGAIN}"
        )
    ends = [*starts[1:], len(asked)]
    options = tuple(asked[a + 3 : b].strip() for a, b in zip(starts, ends, strict=True))
    question = asked[: starts[0]].strip()
    choice = Choice(name, question, options, LETTERS.index(gold))
    # The question as published is what the task asks: its options stand in the text.
    return choice_row("mol_instructions_mcq", choice, asked=asked)


def given_letter(answer: str) -> str | None:
    """The letter in brackets that an answer gives; None without one, or with several.

    One letter is it. Of several: the one called the answer, else the one that no clause denies,
    else the one that the answer begins with.
    """
    letters = set(_LETTER.findall(answer))
    if not set(_BARE.findall(answer)) <= letters:
        return None
    clauses = _CLAUSE.split(answer)
    held = [c for c in clauses if not _DENIED.search(c)]
    stated = {x for c in held for m in _STATED.finditer(c) for x in _LETTER.findall(m[0])}
    left = {letter for c in held for letter in _LETTER.findall(c)}
    for found in (letters, stated, left):
        if len(found) == 1:
            return str(next(iter(found)))
    begins = _BEGINS.match(answer.strip())
    return begins.group(1) if begins and not stated else None


def geobench_apstudy(data_set: DataSet, data: Path) -> list[Row]:
    read = (
        geobench.apstudy_question(row, where, name.replace("geobench", "apstudy"))
        for name, where, row in placed(data_set, data)
    )
    return [choice_row("geobench_apstudy", choice) for choice in read if choice is not None]


def geobench_npee(data_set: DataSet, data: Path) -> list[Row]:
    read = (
        geobench.npee_question(row, where, name.replace("geobench", "npee"))
        for name, where, row in placed(data_set, data)
        if kept(row, (("category", ("choice",)),), where)
    )
    return [choice_row("geobench_npee", c) for c in read if isinstance(c, Choice)]


def _choices(data_set: DataSet, data: Path) -> Iterator[tuple[Choice, str, Row]]:
    assert isinstance(data_set.mapping, Choices)
    for name, where, row in placed(data_set, data):
        choice = Choice(str(row.get("id", name)), *data_set.mapping.read(row, where))
        yield choice, where, row
