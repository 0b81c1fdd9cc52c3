"""A model trained here, as other tools open it: by path, from any working folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM

TASK = """
task: two_options
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - metric: acc
"""
QUESTIONS = ("It is 12 o'", "A naïve", "In 1987", "def f(x):")
CHOICES = ("H2SO4", "Straße")


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(ids).logits


def put(base: Path, adapter: Path) -> Any:
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)


def by_name(adapter: Path) -> list[Any]:
    """The adapter as those open it who are given its folder alone."""
    return [
        AutoPeftModelForCausalLM.from_pretrained(adapter),
        AutoModelForCausalLM.from_pretrained(adapter),
    ]


def likelihoods(folder: Path, where: str, patch: pytest.MonkeyPatch) -> NDArray[np.float64]:
    """Of lm-eval's own command line: per question, those of its options."""
    from lm_eval.__main__ import cli_evaluate

    folder.mkdir()
    rows = [{"question": q, "choices": CHOICES, "answer": 0} for q in QUESTIONS]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "two_options.yaml").write_text(TASK.format(data=data))
    words = ["lm_eval", "run", "--model", "hf", "--model_args", f"{where},dtype=float32"]
    words += ["--device", "cpu", "--batch_size", "2", "--log_samples", "--tasks", "two_options"]
    words += ["--include_path", str(folder), "--output_path", str(folder / "out")]
    patch.setattr(sys, "argv", words)
    cli_evaluate()
    (file,) = (folder / "out").rglob("samples_two_options_*.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    ordered = sorted(found, key=lambda sample: sample["doc_id"])
    return np.array([[float(first[0][0]) for first in s["resps"]] for s in ordered])


def expected_likelihoods(model: Any, tokenizer: Any) -> NDArray[np.float64]:
    def one(question: str, choice: str) -> float:
        start = tokenizer(question, add_special_tokens=False).input_ids
        whole = tokenizer(f"{question} {choice}", add_special_tokens=False).input_ids
        gains = logits(model, torch.tensor([whole]))[0, :-1].float().log_softmax(-1)
        return sum(float(gains[k - 1, whole[k]]) for k in range(len(start), len(whole)))

    return np.array([[one(q, c) for c in CHOICES] for q in QUESTIONS])
