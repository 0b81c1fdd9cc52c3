"""Science on real data: HeadQA's biology and chemistry train; they and MMLU's sciences evaluate."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real import headqa, mmlu
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Row, choice_row, serve

CATEGORIES = ("biology", "chemistry")
SUBJECTS = (
    *("astronomy", "college_biology", "college_chemistry", "college_physics"),
    *("conceptual_physics", "high_school_biology", "high_school_chemistry", "high_school_physics"),
)
HEADQA = {s: f"headqa_en/{s}.jsonl" for s in ("train", "validation", "test")}
MMLU = {"tune": "mmlu/dev.jsonl", "eval": "mmlu/test.jsonl"}

source_files = files_of(*HEADQA.values(), *MMLU.values())


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def headqa_items(of: str) -> list[Row]:
        part = "validation" if of == "tune" else "test"
        asked = headqa.read(data_file(data, HEADQA[part]), f"headqa.{part}", CATEGORIES)
        return [choice_row("slices_headqa_science", q) for q in asked]

    def mmlu_items(of: str) -> list[Row]:
        asked = mmlu.read(data_file(data, MMLU[of]), f"mmlu.{of}")
        return [choice_row("slices_mmlu_science", q.choice) for q in asked if q.subject in SUBJECTS]

    return serve(
        split,
        n,
        discipline="science",
        pool=lambda: headqa.read(data_file(data, HEADQA["train"]), "headqa.train", CATEGORIES),
        items={"slices_headqa_science": headqa_items, "slices_mmlu_science": mmlu_items},
    )
