"""A data folder in the layouts of the releases, with made-up questions, for tests."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CHEMBENCH = (
    "Name_Conversion",
    "Property_Prediction",
    "Mol2caption",
    "Caption2mol",
    "Product_Prediction",
    "Retrosynthesis",
    "Yield_Prediction",
    "Temperature_Prediction",
    "Solvent_Prediction",
)
BIOTEXT = "Biomolecular_Text_Instructions"


def write_released(data: Path) -> Path:
    """gsm8k, chembench4k, mol_instructions_biotext, medmcqa, geobench, ifeval and mmlu."""
    for name, rows in (("gsm8k/test.jsonl", _gsm8k()), ("ifeval/input_data.jsonl", _ifeval())):
        _text(data / name, "".join(json.dumps(row) + "\n" for row in rows))
    for part, n in (("dev", 5), ("test", 4)):
        for k, name in enumerate(CHEMBENCH):
            rows = [_chembench(name, part, i) for i in range(n + (part == "test") * k)]
            _text(data / "chembench4k" / part / f"{name}_benchmark.json", json.dumps(rows))
    geobench = data / "geobench" / "data" / "geobench"
    _text(geobench / "geobench_apstudy.json", json.dumps(_apstudy()))
    _text(geobench / "geobench_npee.json", json.dumps(_npee()))
    folder = data / "mol_instructions_biotext" / "data"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{BIOTEXT}.zip", "w") as archive:
        archive.writestr(f"{BIOTEXT}/multi_choice_question.json", json.dumps(_biotext()))
    _parquet(data / "medmcqa" / "data" / "validation-00000-of-00001.parquet", _medmcqa())
    _parquet(data / "mmlu" / "all" / "test-00000-of-00001.parquet", _mmlu())
    return data


def _gsm8k() -> list[dict[str, Any]]:
    return [
        {"question": f"What is {i} and {i}?", "answer": f"It is {2 * i}.\n#### {2 * i}"}
        for i in range(1, 4)
    ]


def _chembench(name: str, part: str, i: int) -> dict[str, Any]:
    # The first two test questions differ in a bond only, the last two are copies.
    bond = ("=", "#", "-", "-")[i] if part == "test" and i < 4 else "."
    return {
        "question": f"{name} of C{bond}C?",
        **{letter: f"{letter.lower()} {i % 3} {part}" for letter in "ABCD"},
        "answer": "ABCD"[i % 4] if part == "dev" else "ABCC"[min(i, 3)],
    }


def _biotext() -> list[dict[str, Any]]:
    asked = "Which enzyme (A-type) cuts it?\n(A) trypsin\n(B) (E)-butenal (C) amylase\n(D) none"
    return [
        {
            "instruction": asked if i else "Which of these is a base?",
            "input": "" if i else "(A) adenine (B) ribose",
            "output": f"The answer is ({letter}) because (A) is common.",
            "metadata": str({"task": "Multi-choice Question", "split": split}),
        }
        for i, (letter, split) in enumerate((("B", "test"), ("C", "test"), ("A", "train")))
    ]


def _medmcqa() -> list[dict[str, Any]]:
    return [
        {
            "id": f"m{i}",
            "question": f"Bone number {i}?",
            **{f"op{letter}": f"bone {letter}" for letter in "abcd"},
            "cop": (3, 0, 2)[i],
            "choice_type": "single",
        }
        for i in range(3)
    ]


def _mmlu() -> list[dict[str, Any]]:
    subjects = ("anatomy", "high_school_biology", "anatomy")
    return [
        {"question": f"Q{i}?", "subject": s, "choices": ["w", "x", "y", "z"], "answer": 3 - i}
        for i, s in enumerate(subjects)
    ]


def _ifeval() -> list[dict[str, Any]]:
    return [
        {
            "key": k,
            "prompt": prompt,
            "instruction_id_list": [name],
            "kwargs": [settings],
        }
        for k, prompt, name, settings in (
            (1, "No commas.", "punctuation:no_comma", {}),
            (
                2,
                "Two sentences.",
                "length_constraints:number_sentences",
                {"relation": "less than", "num_sentences": 3},
            ),
            (3, "All lower.", "change_case:english_lowercase", {}),
        )
    ]


def _apstudy() -> list[dict[str, Any]]:
    return [
        {
            "id": "apstudy_question_hg",
            "question": {
                "stem": f"Growth of city {i}",
                "choices": [{"text": f"is {word}", "label": "ABCDE"[k]} for k, word in words],
            },
            "answerKey": key,
        }
        for i, key in ((1, "E"), (2, "A"), (2, "B"))
        for words in [list(enumerate(("slow", "fast", "even", "rare", "past")))]
    ]


def _npee() -> dict[str, Any]:
    asked = [
        "The softest rock is:\nChoose from:\n\nA. talc\nB. granite\nC. slate",
        "The softest rock is:\nChoose from:\n\nA. talc\nB. granite\nC. slate",
        "The hardest rock is:\nChoose from:\n\nA. quartz\nB. gypsum",
    ]
    return {
        "noun": {"question": ["plateau"], "answer": ["A flat highland."]},
        # The gold letter of the last one labels no option, as in two published questions.
        "choice": {"question": asked, "answer": ["A", "C", "D"]},
    }


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
