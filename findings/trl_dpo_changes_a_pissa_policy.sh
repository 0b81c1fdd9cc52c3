#!/usr/bin/env bash
# Expected: DPOTrainer starts from the model that it is given, and refers to it: its first loss is
# ln 2 = 0.6931, and building the trainer leaves the model's outputs alone.
# Seen with trl 1.16.0, peft 0.21.2, transformers 5.23.0, torch 2.13.0 (2026-11-28): PiSSA and OLoRA
# move a part of the base's weights into the adapter when one is added.
# - With `peft_config`, the reference is the model with the adapter switched off, which is no longer
#   the model that was given: the first loss is not ln 2.
# - A model that already has such an adapter gets a second one from the same configuration, as its
#   reference; that takes a further part out of the base under the first. The policy is another model
#   before its first step, the reference is the same wrong one, and the first loss is ln 2 again.
# First loss, and change of the policy's logits by the trainer's construction, of their size:
#               peft_config      PeftModel
#   default     0.6931  0.000    0.6931  0.000
#   pissa       0.6639  0.000    0.6931  0.777
#   olora       0.7931  0.000    0.6931  0.583
# Exits 1 if the first loss is ln 2 under `peft_config`, or a PeftModel's logits stay.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 trl==1.16.0 \
  datasets==5.2.0 accelerate==1.15.0 peft==0.21.2
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math
import sys

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import DPOConfig, DPOTrainer

disable_progress_bars()
words = [f"w{i}" for i in range(30)]
raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<eos>", *words])}))
raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")


def some(first, count):
    return " ".join(words[(first + k) % 30] for k in range(count))


rows = Dataset.from_list(
    [
        {
            "prompt": some(3 * k, 4),
            "chosen": f" {some(7 * k, 5)}",
            "rejected": f" {some(11 * k + 5, 4)}",
        }
        for k in range(8)
    ]
)
tokens = torch.arange(2, 12)[None]


def logits(model):
    with torch.no_grad():
        return model.eval()(tokens).logits


def first_loss(start, wrapped):
    """Of a trainer; and how far its construction moved the policy's logits."""
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, pad_token_id=0, eos_token_id=1,
            bos_token_id=None, initializer_range=0.3,
        )
    )
    adapter = LoraConfig(
        r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"], init_lora_weights=start,
        task_type="CAUSAL_LM",
    )
    given = {} if wrapped else {"peft_config": adapter}
    if wrapped:
        model = get_peft_model(model, adapter)
    before = logits(model)
    options = DPOConfig(
        output_dir="out", max_steps=1, per_device_train_batch_size=8, logging_steps=1,
        report_to="none", use_cpu=True, learning_rate=1e-9, bf16=False,
        gradient_checkpointing=False, save_strategy="no", disable_tqdm=True,
    )
    trainer = DPOTrainer(
        model=model, args=options, processing_class=tokenizer, train_dataset=rows, **given
    )
    moved = (logits(trainer.model) - before).norm() / before.norm()
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return float(losses[0]), float(moved)


changed = []
for start in (True, "pissa", "olora"):
    (loss, _), (again, moved) = first_loss(start, False), first_loss(start, True)
    name = "default" if start is True else start
    print(f"{name}: peft_config {loss:.4f}; PeftModel {again:.4f}, logits moved by {moved:.3f}")
    if start is True and (abs(loss - math.log(2)) > 1e-4 or moved > 1e-4):
        sys.exit("plain LoRA does not start at ln 2: this script no longer measures the start")
    if start is not True and (abs(loss - math.log(2)) < 1e-3 or moved < 1e-2):
        changed.append(name)
if changed:
    sys.exit(f"changed: {', '.join(changed)} starts from the model that was given")
PYTHON
