"""The slices of real data themselves: counts, hashes, splits. Skipped without LAWCHECK_DATA."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lawcheck.corpus.decontaminate import report
from lawcheck.corpus.real import (
    chebi20,
    geobench,
    gsm8k,
    headqa,
    ifeval,
    instructions,
    medmcqa,
    medquad,
    mmlu,
    mol_instructions,
    pubmedqa,
)
from lawcheck.corpus.real.files import read_jsonl
from lawcheck.corpus.real.rows import Choice, choice_row, fold, identity
from lawcheck.corpus.recipe import planned_rows
from lawcheck.corpus.sources.mapping import Choices, FirstTurn
from lawcheck.corpus.sources.reading import Layout, rows_of
from lawcheck.declare import discovery
from lawcheck.declare.scale import BuiltBase, load_scale
from lawcheck.evaluation.benchmarks.documents import repeated

SPECIAL = re.compile(r"<\|\w+\|>")


@pytest.fixture(scope="module")
def data() -> Path:
    named = os.environ.get("LAWCHECK_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("LAWCHECK_DATA names no folder of real data slices")
    return Path(named)


@pytest.fixture(scope="module")
def sources(data: Path) -> dict[str, tuple[int, str]]:
    """File -> (rows, sha256) of the table that came with the data."""
    listing = data / "SOURCES.md"
    if not listing.is_file():
        pytest.skip("the data folder has no SOURCES.md to compare with")
    table = {}
    for line in listing.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 8 and cells[4].startswith("`") and re.fullmatch("[0-9,]+", cells[5]):
            table[cells[4].strip("`")] = (int(cells[5].replace(",", "")), cells[7])
    return table


def modules() -> dict[str, ModuleType]:
    return {
        name: import_module(d.worlds["slices"].source)
        for name, d in discovery.disciplines().items()
        if "slices" in d.worlds
    }


def test_used_files_are_the_listed_ones(data: Path, sources: dict[str, tuple[int, str]]) -> None:
    used = {path for module in modules().values() for path in module.source_files(data)}
    assert len(used) == 27
    for path in used:
        name = path.relative_to(data).as_posix()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sources[name][1], name


def test_readers_see_every_listed_row(data: Path, sources: dict[str, tuple[int, str]]) -> None:
    """Rows that a reader leaves out are counted here, each with its reason."""

    def listed(name: str) -> int:
        return sources[name][0]

    for name in ("gsm8k/train.jsonl", "gsm8k/test.jsonl"):
        assert len(gsm8k.read(data / name, "g")) == listed(name)
    for name in ("medmcqa/validation.jsonl", "medmcqa/validation_rest.jsonl"):
        assert len(medmcqa.read(data / name)) == listed(name)
    gold = Counter(q.answer for q in medmcqa.read(data / "medmcqa/validation.jsonl"))
    assert [gold[i] for i in range(4)] == [336, 252, 224, 188]
    images = {"train": 68, "validation": 22, "test": 25}
    for part, without in images.items():
        name = f"headqa_en/{part}.jsonl"
        assert len(headqa.read(data / name, "h")) == listed(name) - without
    for name in ("train", "eval_true_or_false"):
        name = f"mol_instructions_biotext/{name}.jsonl"
        assert len(mol_instructions.read(data / name, "m")) == listed(name)
    for name in ("chebi20/validation.jsonl", "chebi20/test.jsonl"):
        assert len(chebi20.read(data / name, "c")) == listed(name)
    # Two questions are published with a gold letter that no option carries.
    assert len(geobench.read_npee(data / "geobench/npee_choice.jsonl", "n")) == 180
    for name in ("geobench/npee_open.jsonl",):
        assert len(geobench.read_npee(data / name, "n")) == listed(name)
    assert len(geobench.read_apstudy(data / "geobench/apstudy.jsonl", "a")) == 1395
    assert len(ifeval.read(data / "ifeval/input_data.jsonl")) == 541
    for name in ("mmlu/dev.jsonl", "mmlu/test.jsonl", "mmlu/test_full.jsonl.gz"):
        assert len(mmlu.read(data / name, "m")) == listed(name)
    # Two rows have an empty output.
    assert len(instructions.read(data / "alpaca/train.jsonl", "a")) == 4998
    for name in ("chatdoctor/train.jsonl", "medical_meadow/wikidoc_patient_information.jsonl"):
        read = instructions.read(data / name, "i", fixed_instruction=True)
        assert len(read) == listed(name)
    assert len(medquad.read(data / "medquad/train.jsonl", "m")) == 1600
    assert len(pubmedqa.read(data / "pubmedqa/train.jsonl", "p")) == 500
    assert len(instructions.read_opengpt(data / "opengpt/train.jsonl", "o")) == 306
    assert len(instructions.read_medinstruct(data / "medinstruct/test.jsonl", "m")) == 216


def test_released_layouts_hold_the_content_of_the_flat_copies(data: Path) -> None:
    """What the paper's corpus reads of a release is what the slices' readers read of its copy."""

    def released(name: str, layout: Layout = "rows") -> list[dict[str, Any]]:
        return [row for _, row in rows_of(data / name, layout)]

    def choices(questions: list[Any]) -> list[tuple[Any, ...]]:
        return [(q.question, q.choices, q.answer) for q in questions]

    asked = Choices("qtext", ("answers",), "ra", counts_from=1)
    nested = [asked.read(r, "") for r in released("headqa_en/original_format_sample.json", "exams")]
    flat = choices(headqa.read(data / "headqa_en/validation.jsonl", "h"))
    # The flat file is an evenly spaced part of the split that the sample was cut from.
    assert sum(question in flat for question in nested) >= 0.6 * len(nested)

    rows = released("geobench/npee_original_format_sample.json", "blocks")
    blocks = [geobench.npee_question(row, "", "n") for row in rows]
    read = geobench.read_npee(data / "geobench/npee_choice.jsonl", "n")
    found = choices([q for q in blocks if isinstance(q, Choice)])
    assert len(found) == 8
    assert found == choices([q for q in read if isinstance(q, Choice)][:8])

    sample = released("pubmedqa/original_format_sample.json", "by_id")
    both = pubmedqa.read(data / "pubmedqa/train.jsonl", "p")
    both += pubmedqa.read(data / "pubmedqa/test.jsonl", "p")
    assert {f"p.{row['id']}" for row in sample} <= {p.id for p in both}

    turns = [FirstTurn()(row, "") for row in released("opengpt/original_format_sample.csv")]
    told = [(t.prompt, t.response) for t in turns if t is not None]
    pairs = instructions.read_opengpt(data / "opengpt/train.jsonl", "o")[:40]
    assert told == [(p.question, p.response) for p in pairs]

    documents = sorted((data / "medquad/original_xml").glob("*/*.xml"))
    assert len(documents) == 24
    answers = {p: any(row["answer"] for _, row in rows_of(p)) for p in documents}
    empty = {path.parent.name.split("_")[0] for path, answered in answers.items() if not answered}
    assert empty == {"10", "11", "12"}

    tasks = sorted((data / "natural_instructions").glob("*.json"))
    counts = [len(instructions.read_natural_instructions(path, path.stem)) for path in tasks]
    assert counts == [13, 12, 13]


def test_geobench_copies_are_reported_as_published(data: Path) -> None:
    path = data / "geobench/npee_choice.jsonl"
    answers: dict[str, set[str]] = defaultdict(set)
    for row in read_jsonl(path, {"question": str, "answer": str}):
        answers[row["question"]].add(row["answer"])
    assert (len(answers), sum(len(a) > 1 for a in answers.values())) == (129, 8)
    # Case and punctuation folded away, and without the two that cannot be answered.
    chosen = (q for q in geobench.read_npee(path, "n") if isinstance(q, Choice))
    copies = repeated((choice_row("t", q) for q in chosen), fold)
    assert sum(r["copies"] - 1 for r in copies) == 180 - 118
    assert sum(r["answers"] > 1 for r in copies) == 10
    apstudy = geobench.read_apstudy(data / "geobench/apstudy.jsonl", "a")
    assert len(apstudy) - len({identity(q.question) for q in apstudy}) == 5
    assert [r["answers"] for r in repeated((choice_row("t", q) for q in apstudy), fold)] == [2]


def test_splits_of_all_disciplines_share_no_question(data: Path) -> None:
    scale = load_scale("slices")
    recipe = scale.bases["default"]
    assert isinstance(recipe, BuiltBase)
    for name, module in modules().items():
        role = discovery.discipline(name).role
        rows = {split: module.samples(split, None, data) for split in ("tune", "eval")}
        tasks = {task.name for task in discovery.discipline(name).worlds["slices"].tasks}
        for found in rows.values():
            assert {row["task"] for row in found} == tasks
            assert len({row["id"] for row in found}) == len(found)
        clusters = {split: {row["cluster"] for row in found} for split, found in rows.items()}
        assert not clusters["tune"] & clusters["eval"], name
        if role == "out_of_domain":
            continue
        pool = module.samples("train", None, data)
        assert len({row["id"] for row in pool}) == len(pool)
        assert not any(SPECIAL.search(row["prompt"] + row["response"]) for row in pool), name
        # What the scale trains on and what its base saw are parts of the pool without overlap.
        count = planned_rows(discovery.discipline(name), scale.corpus.size)
        count = count or scale.corpus.general_pool
        assert count + recipe.mixture[name] <= len(pool), name
        assert module.samples("train", count, data) == pool[:count]


def test_no_training_question_is_evaluated(data: Path) -> None:
    lines = report(data)
    items = [line for line in lines if line["task"]]
    assert len(items) == 2 * 9
    # One MMLU stem, "Crohn's disease:", also begins a HeadQA question with other options.
    same = {(line["split"], line["task"]): line["exact"] for line in items if line["exact"]}
    assert same == {("eval", "mmlu"): 1}
    assert all(line["overlap"] < 0.3 * line["rows"] for line in items)


def test_biology_and_medicine_do_not_leak_into_each_other(data: Path) -> None:
    """The true-or-false questions of Mol-Instructions are PubMedQA's."""
    biology, medicine = modules()["biology"], modules()["medicine"]
    asked = {fold(r["question"]) for s in ("tune", "eval") for r in biology.samples(s, None, data)}
    assert not asked & {fold(row["prompt"]) for row in medicine.samples("train", None, data)}
