"""Medicine on real data: those of the paper's medical sets that small public files hold.

MedMCQA's training split is not among them: the rest of its validation split stands in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lawcheck.corpus.real import headqa, instructions, medmcqa, medquad, pubmedqa
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Choice, Pair, Row, choice_row, held_out, serve

MEDMCQA, MEDMCQA_REST = "medmcqa/validation.jsonl", "medmcqa/validation_rest.jsonl"
HEADQA = {s: f"headqa_en/{s}.jsonl" for s in ("train", "validation", "test")}
CHATDOCTOR = "chatdoctor/train.jsonl"
MEADOW = "medical_meadow/wikidoc_patient_information.jsonl"
MEDINSTRUCT = "medinstruct/test.jsonl"
MEDQUAD = "medquad/train.jsonl"
OPENGPT = "opengpt/train.jsonl"
PUBMEDQA = "pubmedqa/train.jsonl"
NATURAL = tuple(
    f"natural_instructions/{task}.json"
    for task in (
        "task179_participant_extraction",
        "task1495_adverse_drug_event_classification",
        "task1645_medical_question_pair_dataset_text_classification",
    )
)
FILES = (
    *(MEDMCQA, MEDMCQA_REST, *HEADQA.values(), CHATDOCTOR, MEADOW, MEDINSTRUCT, MEDQUAD),
    *(OPENGPT, PUBMEDQA, *NATURAL),
)

source_files = files_of(*FILES)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    rest = medmcqa.read(data_file(data, MEDMCQA_REST))

    def medmcqa_items(of: str) -> list[Row]:
        if of == "tune":
            asked = [q for q in rest if held_out(q.question)]
        else:
            asked = medmcqa.read(data_file(data, MEDMCQA))
        return [medmcqa.evaluation_row(q) for q in asked]

    def headqa_items(of: str) -> list[Row]:
        # Training questions have five options, those of the other two splits four.
        part = "validation" if of == "tune" else "test"
        asked = headqa.read(data_file(data, HEADQA[part]), f"headqa.{part}")
        return [choice_row("slices_headqa", q) for q in asked]

    def pool() -> Iterator[Choice | Pair]:
        yield from rest
        yield from headqa.read(data_file(data, HEADQA["train"]), "headqa.train")
        for name in (CHATDOCTOR, MEADOW):
            yield from instructions.read(
                data_file(data, name), name.partition("/")[0], fixed_instruction=True
            )
        yield from instructions.read_medinstruct(data_file(data, MEDINSTRUCT), "medinstruct")
        yield from instructions.read_opengpt(data_file(data, OPENGPT), "opengpt")
        for name in NATURAL:
            path = data_file(data, name)
            yield from instructions.read_natural_instructions(path, path.stem)
        yield from medquad.read(data_file(data, MEDQUAD), "medquad")
        yield from pubmedqa.read(data_file(data, PUBMEDQA), "pubmedqa")

    items = {"medmcqa": medmcqa_items, "slices_headqa": headqa_items}
    return serve(split, n, discipline="medicine", pool=pool, items=items)
