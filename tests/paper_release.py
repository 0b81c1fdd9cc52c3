"""Small invented releases of every declared data set, in the published layouts and file names."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lawcheck.disciplines.medicine.paper import TASKS

WORDS = (
    "amber",
    "basin",
    "cobalt",
    "delta",
    "ember",
    "fjord",
    "garnet",
    "harbor",
    "indigo",
    "kelp",
)


def sentence(topic: str, number: int, length: int = 16) -> str:
    """Words that no other topic and number share, after the topic itself."""
    picked = [WORDS[(number * 7 + k * k + 3 * k) % len(WORDS)] for k in range(length - 1)]
    return " ".join([topic, *(f"{word}{topic}{number}" for word in picked)])


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def asked(topic: str, n: int, **columns: str) -> list[dict[str, Any]]:
    return [
        {
            "instruction": "Answer this question truthfully",
            "input": sentence(topic, i),
            "output": f"{topic} answer {i} is plain.",
            **columns,
        }
        for i in range(n)
    ]


def choices(topic: str, n: int, gold: int = 0) -> list[dict[str, Any]]:
    """MedMCQA's columns."""
    return [
        {
            "id": f"{topic}{i}",
            "question": sentence(topic, i),
            **{f"op{c}": f"{topic} {c} {i}" for c in "abcd"},
            "cop": (i + gold) % 4,
            "choice_type": "multi" if i % 5 == 4 else "single",
            "exp": None,
        }
        for i in range(n)
    ]


def lettered(topic: str, n: int) -> list[dict[str, Any]]:
    return [
        {
            "question": sentence(topic, i),
            **{c: f"{topic} {c} {i}" for c in "ABCD"},
            "answer": "ABCD"[i % 4],
        }
        for i in range(n)
    ]


def biotext(topic: str, n: int, split: str, task: str) -> list[dict[str, Any]]:
    return [
        {
            "instruction": sentence(topic, i),
            "input": "",
            "output": f"Yes, {topic} {i}.",
            "metadata": repr({"task": task, "split": split}),
        }
        for i in range(n)
    ]


def write_training(data: Path, n: int = 12) -> None:
    """n rows of each training set."""
    rows = [
        {
            "problem": sentence("algebra", i, 30),
            "generated_solution": f"Thus \\boxed{{{i}}}.",
            "expected_answer": str(i),
            "problem_source": "augmented_math",
        }
        for i in range(n)
    ]
    parquet(data / "openmathinstruct2/data/train_2M-00000-of-00002.parquet", rows[: n // 2])
    parquet(data / "openmathinstruct2/data/train_2M-00001-of-00002.parquet", rows[n // 2 :])
    chem = [
        {
            "instruction": f"Name the molecule C1CC{'C' * i}1 please",
            "input": "",
            "output": f"cyclo {i}",
            "history": [["earlier question", "earlier answer"]] if i == 0 else [],
        }
        for i in range(n)
    ]
    parquet(data / "chemdata700k/data/train-00000-of-00001.parquet", chem)
    archive = data / "mol_instructions_biotext/data/Biomolecular_Text_Instructions.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    mcq = [
        {
            "instruction": f"{sentence('protein', i)}\n(A) alpha {i}\n(B) beta {i}\n(C) gamma\n(D) "
            "(E)-delta",
            "input": "",
            "output": f"The final answer is ({'ABCD'[i % 4]}).",
            "metadata": repr({"task": "Multiple Choice", "split": "test"}),
        }
        for i in range(n)
    ]
    with zipfile.ZipFile(archive, "w") as z:
        text = biotext("enzyme", n, "train", "Open Question")
        z.writestr("Biomolecular_Text_Instructions/open_question.json", json.dumps(text))
        z.writestr("Biomolecular_Text_Instructions/multi_choice_question.json", json.dumps(mcq))
        z.writestr("__MACOSX/._open_question.json", b"\x00\x05")
    dump(data / "geosignal/geosignal.json", asked("tectonic", n, type="geo", category="x"))
    head = [
        {
            "qid": i,
            "qtext": sentence("nursing", i),
            "ra": i % 5 + 1,
            "image": None,
            "answers": [{"aid": k, "atext": f"option {k} of {i}"} for k in range(1, 6)],
        }
        for i in range(n)
    ]
    parquet(data / "headqa/en/train.parquet", head)
    parquet(data / "medmcqa/data/train-00000-of-00001.parquet", choices("renal", n))
    parquet(data / "medmcqa/data/validation-00000-of-00001.parquet", choices("cardiac", n))
    usmle = [
        {
            "question": sentence("usmle", i),
            "answer": "x",
            "options": {c: f"{c} of {i}" for c in "ABCD"},
            "answer_idx": "ABCD"[i % 4],
            "meta_info": "step1",
            "metamap_phrases": [],
        }
        for i in range(n)
    ]
    jsonl(data / "medqa/phrases_no_exclude_train.jsonl", usmle)
    train = "data/train-00000-of-00001.parquet"
    parquet(data / "chatdoctor_healthcaremagic" / train, asked("magic", n))
    parquet(
        data / "chatdoctor_icliniq" / train,
        [{"input": sentence("clinic", i), "answer_icliniq": f"rest {i}"} for i in range(n)],
    )
    quad = [
        {"question": sentence("quad", i), "answer": None if i % 3 == 0 else f"said {i}"}
        for i in range(n)
    ]
    parquet(data / "medquad" / train, quad)
    pubmed = {
        str(1000 + i): {
            "QUESTION": sentence("trial", i),
            "CONTEXTS": [f"Background {i}.", "Methods."],
            "LONG_ANSWER": f"We found {i}.",
            "final_decision": ("yes", "no", "maybe")[i % 3],
        }
        for i in range(n)
    }
    dump(data / "pubmedqa/data/ori_pqal.json", pubmed)
    dump(data / "pubmedqa/data/test_ground_truth.json", dict.fromkeys(list(pubmed)[::2], "yes"))
    drugs = [{"Question": sentence("drug", i), "Answer": f"take {i}"} for i in range(n)]
    parquet(data / "medicationqa" / train, drugs)
    mixed = [*asked("concept", n, source="umls"), *asked("other", 3, source="liveqa")]
    dump(data / "umls/release.json", mixed)
    nhs = data / "opengpt/data/nhs_uk_full/prepared_generated_data_for_nhs_uk_qa.csv"
    nhs.parent.mkdir(parents=True, exist_ok=True)
    with nhs.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "raw_data_id"])
        for i in range(n):
            said = f"<|user|> {sentence('nhs', i)} <|eos|> <|ai|> care,\n{i} <|eos|> <|eod|>"
            writer.writerow([said, i])
    parquet(data / "medinstruct52k" / train, asked("alpacare", n))
    for part in ("health_advice", "medical_flashcards", "pubmed_causal"):
        folder = data / f"medical_meadow_{part}"
        dump(folder / f"medical_meadow_{part}.json", asked(part, n))
    for k, task in enumerate(TASKS):
        definition = "Extract." if k % 2 else ["Extract.", "Briefly."]
        instances = [{"input": sentence(task, i), "output": [f"found {i}"]} for i in range(n)]
        content = {"Definition": definition, "Instances": instances}
        dump(data / f"natural_instructions/tasks/{task}.json", content)
    parquet(data / "alpaca/data/train-00000-of-00001-a09b.parquet", asked("everyday", n))
    dolly = [
        {"instruction": sentence("dolly", i), "context": "", "response": f"so {i}", "category": "x"}
        for i in range(n)
    ]
    jsonl(data / "dolly/databricks-dolly-15k.jsonl", dolly)
    for name in ("tulu3_personas_if", "no_robots"):
        chats = [
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": sentence(name, i)},
                    {"role": "assistant", "content": f"Reply {i} <|im_end|>"},
                ]
            }
            for i in range(n)
        ]
        parquet(data / name / train, chats)


def write_evaluation(data: Path, n: int = 8) -> None:
    """n items of each evaluation set that does not share a release with training."""
    gsm = [{"question": sentence("shop", i), "answer": f"It is {i}.\n#### {i}"} for i in range(n)]
    jsonl(data / "gsm8k/grade_school_math/data/test.jsonl", gsm)
    for part in ("Name_Conversion", "Retrosynthesis"):
        dump(data / f"chembench4k/test/{part}_benchmark.json", lettered(part, n))
    ap = [
        {
            "id": "same",
            "question": {
                "stem": sentence("plate", i),
                "choices": [{"text": f"{c} {i}", "label": c} for c in "ABCDE"],
            },
            "answerKey": "ABCDE"[i % 5],
        }
        for i in range(n)
    ]
    dump(data / "geobench/data/geobench/geobench_apstudy.json", ap)
    stems = [f"{sentence('rock', i)}\nChoose from:\n\nA. x{i}\nB. y\nC. z" for i in range(n)]
    npee = {
        "noun": {"question": ["Sima"], "answer": ["a layer"]},
        "choice": {"question": stems, "answer": ["A"] * n},
    }
    dump(data / "geobench/data/geobench/geobench_npee.json", npee)
    prompts = [
        {
            "key": i,
            "prompt": sentence("write", i),
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        }
        for i in range(n)
    ]
    jsonl(data / "ifeval/ifeval_input_data.jsonl", prompts)
    subjects = [
        {
            "question": sentence("law", i),
            "subject": "law",
            "choices": ["a", "b", "c", "d"],
            "answer": i % 4,
        }
        for i in range(n)
    ]
    parquet(data / "mmlu/all/test-00000-of-00001.parquet", subjects)
