"""Adapters survive a new process by every way in: peft, transformers, lm-eval, its command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from modeling import VOCABULARY, randomise, tiny, tokens, word_tokenizer

from lawcheck.methods import lora, lora_comp, lora_moe
from lawcheck.methods.base import AdapterSettings
from lawcheck.methods.lora_moe import VARIANTS

SETTINGS = AdapterSettings(rank=2, alpha=4)
CASES = [("llama", v) for v in VARIANTS] + [("llama", "lora_comp"), ("qwen2", "shared_a")]

READER = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
import lawcheck
lawcheck.LoraMoeConfig
from lm_eval.models.huggingface import HFLM
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM

root = Path(sys.argv[1])
tokens = torch.load(root / "tokens.pt")
equal = {}
for case in sorted(root.glob("*-*")):
    wanted = torch.load(case / "logits.pt")
    base = str(root / case.name.split("-")[0])
    adapter = str(case / "adapter")

    def check(way, model, case=case, wanted=wanted):
        with torch.no_grad():
            equal[f"{case.name} {way}"] = torch.equal(model.eval()(tokens).logits, wanted)

    fresh = AutoModelForCausalLM.from_pretrained(base)
    model = PeftModel.from_pretrained(fresh, adapter)
    check("PeftModel", model)
    model.load_adapter(adapter, "second")
    model.set_adapter("second")
    check("second adapter", model)
    model.set_adapter("default")
    check("beside a second adapter", model)
    check("AutoPeftModel", AutoPeftModelForCausalLM.from_pretrained(adapter))
    native = AutoModelForCausalLM.from_pretrained(adapter)
    check("transformers", native)
    native.load_adapter(adapter, "second")
    native.set_adapter("second")
    check("transformers, second", native)
    check("lm-eval", HFLM(pretrained=base, peft=adapter, device="cpu", dtype="float32").model)
print(json.dumps(equal))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Bases in root/<family>, adapters and their logits in root/<family>-<case>."""
    root = tmp_path_factory.mktemp("saved")
    torch.save(tokens(), root / "tokens.pt")
    for family in ("llama", "qwen2"):
        tiny(family).save_pretrained(root / family)
        word_tokenizer(root / family)
    experts = {}
    for k in range(5):
        experts[f"discipline_{k}"] = root / "experts" / str(k)
        lora.save(randomise(lora.build(tiny(), {}, SETTINGS, k), seed=k), root / "experts" / str(k))
    for family, case in CASES:
        base = type(tiny(family)).from_pretrained(root / family)
        if case == "lora_comp":
            model = lora_comp.build(base, {}, SETTINGS, 0, experts)
        else:
            model = lora_moe.build(base, {"variant": case}, SETTINGS, 0)
        model = randomise(model).eval()
        lora_moe.save(model, root / f"{family}-{case}" / "adapter")
        torch.save(model(tokens()).logits.detach(), root / f"{family}-{case}" / "logits.pt")
    return root


def test_a_fresh_process_computes_the_same_logits(saved):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READER, str(saved)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    equal = json.loads(done.stdout.splitlines()[-1])
    assert len(equal) == 7 * len(CASES)
    assert [way for way, same in equal.items() if not same] == []


TASK = """
task: tiny_choice
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


def test_command_line_of_lm_eval_takes_an_adapter_by_path(saved, tmp_path):
    """Log-likelihoods from the command line are those of the model that was saved."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(2, VOCABULARY, (6, 5), generator=generator).tolist()
    rows = [
        {"question": " ".join(f"w{n}" for n in row[:3]), "choices": [f"w{n}" for n in row[3:]]}
        for row in numbers
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps({**row, "answer": 0}) + "\n" for row in rows))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "tiny_choice.yaml").write_text(TASK.format(data=data))
    case = saved / "llama-rank_route"
    where = f"pretrained={saved / 'llama'},peft={case / 'adapter'},dtype=float32"
    command = [sys.executable, "-W", "ignore", "-m", "lawcheck.lm_eval_cli", "run"]
    command += ["--model", "hf", "--model_args", where, "--device", "cpu", "--log_samples"]
    command += ["--tasks", "tiny_choice", "--include_path", str(tmp_path / "tasks")]
    command += ["--output_path", str(tmp_path / "out"), "--batch_size", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    (samples,) = (tmp_path / "out").rglob("samples_tiny_choice_*.jsonl")
    found = [json.loads(line) for line in samples.read_text().splitlines()]
    model = lora_moe.load(type(tiny()).from_pretrained(saved / "llama"), case / "adapter")
    for sample in found:
        row = numbers[sample["doc_id"]]
        with torch.no_grad():
            scores = model(torch.tensor([row[:3]])).logits[0, -1].log_softmax(-1)
        likelihoods = [float(first[0][0]) for first in sample["resps"]]
        assert likelihoods == pytest.approx([float(scores[n]) for n in row[3:]], abs=1e-4)
    assert len(found) == 6
