"""Medicine as one of six domains: as on the slices, but for what belongs to science.

MedQA's training split, which VersaTune trains on, is not among small public files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lawcheck.corpus.real import headqa, instructions, medmcqa, medqa, medquad, pubmedqa
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Choice, Pair, Row, choice_row, fold, held_out, serve
from lawcheck.disciplines.medicine.slices import (
    CHATDOCTOR,
    HEADQA,
    MEADOW,
    MEDMCQA,
    MEDMCQA_REST,
    MEDQUAD,
    PUBMEDQA,
)

MEDQA = "medqa/test.jsonl"
SCIENCE = ("biology", "chemistry")
CATEGORIES = ("medicine", "nursery", "pharmacology", "psychology")

source_files = files_of(
    MEDQA, MEDMCQA, MEDMCQA_REST, HEADQA["train"], CHATDOCTOR, MEADOW, MEDQUAD, PUBMEDQA
)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    rest = medmcqa.read(data_file(data, MEDMCQA_REST))

    def medmcqa_items(of: str) -> list[Row]:
        if of == "tune":
            asked = [q for q in rest if held_out(q.question)]
        else:
            asked = medmcqa.read(data_file(data, MEDMCQA))
        return [medmcqa.evaluation_row(q) for q in asked]

    def medqa_items(of: str) -> list[Row]:
        asked = medqa.read(data_file(data, MEDQA), "medqa")
        return [
            choice_row("slices_medqa", q) for q in asked if held_out(q.question) == (of == "tune")
        ]

    def pool() -> Iterator[Choice | Pair]:
        yield from rest
        exams, prefix = data_file(data, HEADQA["train"]), "headqa.train"
        # Some questions stand in examinations of both.
        other = {fold(q.question) for q in headqa.read(exams, prefix, SCIENCE)}
        for question in headqa.read(exams, prefix, CATEGORIES):
            if fold(question.question) not in other:
                yield question
        for name in (CHATDOCTOR, MEADOW):
            yield from instructions.read(
                data_file(data, name), name.partition("/")[0], fixed_instruction=True
            )
        yield from medquad.read(data_file(data, MEDQUAD), "medquad")
        yield from pubmedqa.read(data_file(data, PUBMEDQA), "pubmedqa")

    items = {"slices_medqa": medqa_items, "medmcqa": medmcqa_items}
    return serve(split, n, discipline="medicine", pool=pool, items=items)
