"""Released rows of ChemBench, Mol-Instructions and GeoBench as the documents that our tasks ask.

The functions at the end are named by the task files with `!function`. A document holds
`question`, `choices` (texts), `answer` (an index into them) and `cluster`, which copies of a
question share. Rows of a corpus are documents already, so that one task file serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lawcheck.corpus.real import geobench
from lawcheck.corpus.real.files import AGAIN, Row
from lawcheck.corpus.real.rows import Choice, choice_row, tidy
from lawcheck.corpus.sources.evaluation import biotext_choice, lettered_choice
from lawcheck.corpus.sources.mapping import Biotext, Choices
from lawcheck.errors import InputError

_LETTERED = Choices("question", ("A", "B", "C", "D"), "answer")
Read = Callable[[Row, str, str], Row | None]


def repeated(documents: Iterable[Row], same: Callable[[str], str] = tidy) -> list[Row]:
    """Questions asked more than once with the same options: copies, and how many gold answers.

    same: texts that it makes equal are one text. White space only by default; with `fold` also
    case and punctuation, which suits prose and would merge different formulas.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for document in documents:
        key = tuple(map(same, (document["question"], *document["choices"])))
        groups.setdefault(key, []).append(document)
    return [
        {
            "question": group[0]["question"],
            "copies": len(group),
            "answers": len({same(d["choices"][d["answer"]]) for d in group}),
        }
        for group in groups.values()
        if len(group) > 1
    ]


def _chembench(row: Row, where: str, name: str) -> Row:
    return lettered_choice(Choice(name, *_LETTERED.read(row, where)), "chembench")


def _mol_instructions(row: Row, where: str, name: str) -> Row | None:
    # The first release marks no test part: nothing there tells test rows from training rows.
    if "split" not in Biotext.metadata(row, where):
        raise InputError(
            f"{where}: metadata names no 'split', expected train or test; use the release of "
            f"October 2023 or later"
        )
    return biotext_choice(row, where, name) if Biotext("test").belongs(row, where) else None


def _npee(row: Row, where: str, name: str) -> Row | None:
    question = geobench.npee_question(row, where, name)
    return choice_row("geobench_npee", question) if isinstance(question, Choice) else None


def _apstudy(row: Row, where: str, name: str) -> Row | None:
    question = geobench.apstudy_question(row, where, name)
    return None if question is None else choice_row("geobench_apstudy", question)


def _documents(read: Read) -> Callable[[Any], Any]:
    """A document filter for a task file."""

    def process(dataset: Any) -> Any:
        import datasets

        if {"choices", "cluster"} <= set(dataset.column_names):
            return dataset
        placed = ((row, f"row {n}", f"{n}") for n, row in enumerate(_rows(dataset), start=1))
        found = [document for one in placed if (document := read(*one)) is not None]
        if not found:
            raise InputError(f"data set: none of its {len(dataset)} rows is an item; {AGAIN}")
        return datasets.Dataset.from_list(found)

    return process


def _rows(dataset: Any) -> Iterator[Row]:
    """Rows of a data set; GeoBench's file of blocks is one row of parallel lists."""
    if "choice" not in dataset.column_names:
        yield from dataset
        return
    block = dataset[0]["choice"]
    for question, answer in zip(block["question"], block["answer"], strict=True):
        yield {"category": "choice", "question": question, "answer": answer}


chembench = _documents(_chembench)
mol_instructions = _documents(_mol_instructions)
npee = _documents(_npee)
apstudy = _documents(_apstudy)
