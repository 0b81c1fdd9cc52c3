"""lm-evaluation-harness reads our rows through its own definitions and ours."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lawcheck.corpus.real import gsm8k, ifeval, medmcqa, mmlu
from lawcheck.corpus.real import harness as tasks
from lawcheck.corpus.real.harness import harness_task
from lawcheck.corpus.real.rows import Choice, Pair, choice_row, lettered
from lawcheck.errors import InputError

QUESTIONS = tuple(
    Choice(f"q.{i}", f"Which rock is number {i}?", ("granite", "slate", "tuff", "chalk"), i % 4)
    for i in range(3)
)
LETTERED = ("slices_headqa", "slices_chebi20", "slices_npee_choice", "slices_apstudy")
INSTRUCTIONS = (
    {"key": 1, "prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma"]},
    {"key": 2, "prompt": "Two sentences.", "instruction_id_list": [min(tasks.NEEDS_PUNKT)]},
    {"key": 3, "prompt": "All lower.", "instruction_id_list": ["change_case:english_lowercase"]},
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Task -> the file of its discipline, several tasks in one where a discipline has several."""
    folder = tmp_path_factory.mktemp("rows")
    original = folder / "ifeval.original.jsonl"
    original.write_text("".join(json.dumps({**r, "kwargs": [{}]}) + "\n" for r in INSTRUCTIONS))
    verdicts = (Choice("v", "Does it?", ("Yes", "No", "Maybe"), 1),) * 3
    rows: dict[str, list[dict[str, Any]]] = {
        "math": [gsm8k.evaluation_row(Pair(f"g.{i}", "1+1?", "It is 2\n#### 2")) for i in range(3)],
        "mixed": [
            *map(medmcqa.evaluation_row, QUESTIONS),
            *(choice_row(task, q) for task in LETTERED for q in QUESTIONS),
        ],
        "biology": [choice_row("slices_mol_true_false", v) for v in verdicts],
        "general": ifeval.read(original),
        "other": [mmlu.evaluation_row(mmlu.Question(q, "high_school_biology")) for q in QUESTIONS],
    }
    for name, found in rows.items():
        columns = dict.fromkeys(c for row in found for c in row)
        full = [{c: row.get(c) for c in columns} for row in found]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in full))
    kinds = {"gsm8k": "math", "slices_mol_true_false": "biology", "ifeval": "general"}
    kinds |= {"mmlu": "other", **dict.fromkeys(("medmcqa", *LETTERED), "mixed")}
    return {task: folder / f"{name}.jsonl" for task, name in kinds.items()}


@pytest.fixture(scope="module")
def loaded(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    import datasets
    from lm_eval.tasks import TaskManager

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(tasks, "has_punkt", lambda: False)
        configs = [harness_task(name, path, 8) for name, path in files.items()]
        return dict(TaskManager(include_defaults=False).load(configs)["tasks"])


def test_each_task_reads_its_own_rows(loaded: dict[str, Any]) -> None:
    assert len(loaded) == 9
    assert {name: len(list(task.eval_docs)) for name, task in loaded.items()} == dict.fromkeys(
        loaded, 3
    )
    assert {task.config.num_fewshot for task in loaded.values()} == {0}
    assert loaded["gsm8k"].config.generation_kwargs["max_gen_toks"] == 8


def test_prompts_are_the_trained_ones(loaded: dict[str, Any]) -> None:
    for name in ("medmcqa", *LETTERED):
        task = loaded[name]
        document = list(task.eval_docs)[1]
        assert task.doc_to_text(document) == lettered(QUESTIONS[1]), name
        assert task.doc_to_choice(document) == ["A", "B", "C", "D"]
        assert int(task.doc_to_target(document)) == QUESTIONS[1].answer
    problem = next(iter(loaded["gsm8k"].eval_docs))
    assert loaded["gsm8k"].doc_to_text(problem) == gsm8k.prompt("1+1?")


def test_mmlu_description_is_the_one_of_every_subject_task(loaded: dict[str, Any]) -> None:
    import lm_eval
    import yaml

    task = loaded["mmlu"]
    folder = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"
    paths = sorted(folder.glob("mmlu_*.yaml"))
    assert len(paths) == 57
    for path in paths:
        subject = yaml.safe_load(path.read_text())
        document = {"subject": subject["dataset_name"]}
        assert task.resolve_field(document, task.config.description) == subject["description"]


def test_a_tiny_model_is_scored_on_every_task(loaded: dict[str, Any], tmp_path: Path) -> None:
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import LlamaConfig, LlamaForCausalLM

    from lawcheck.training.base.tokenizer import train_bpe

    torch.manual_seed(0)
    tokenizer = train_bpe([lettered(q) for q in QUESTIONS], 400)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=256,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = HFLM(pretrained=LlamaForCausalLM(config), tokenizer=tokenizer, batch_size=8)
    found = lm_eval.evaluate(
        model, dict(loaded), apply_chat_template=True, log_samples=True, bootstrap_iters=0
    )
    metrics = {"gsm8k": "exact_match", "ifeval": "prompt_level_strict_acc"}
    for name in loaded:
        values = [float(s[metrics.get(name, "acc")]) for s in found["samples"][name]]
        assert len(values) == 3, name
        unscored = [i for i, value in enumerate(values) if math.isnan(value)]
        assert unscored == ([1] if name == "ifeval" else []), name
        assert all(value in (0.0, 1.0) for value in values if not math.isnan(value))


def test_ifeval_draws_nothing_from_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    monkeypatch.setattr(tasks, "has_punkt", lambda: True)
    score = tasks.steady_score(lambda document, results: {"draw": random.random()})
    document = {"key": 7, "instruction_id_list": ["punctuation:no_comma"]}
    state = random.getstate()
    assert score(document, [""]) == score(document, [""])
    assert random.getstate() == state


def test_unknown_task_and_missing_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"task 'gsm8k': found no file none.jsonl"):
        harness_task("gsm8k", tmp_path / "none.jsonl")
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    with pytest.raises(InputError, match="task 'slices_headq': unknown; nearest: slices_headqa"):
        harness_task("slices_headq", {"test": str(path)})
