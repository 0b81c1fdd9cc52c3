#!/usr/bin/env bash
# Expected: with TRL's `disable_dropout=True` (the default of DPOConfig) policy and reference compute
# without dropout, so that the first DPO loss is ln 2 = 0.6931 whatever the model's configuration.
# Seen with trl 1.16.0, transformers 5.23.0, torch 2.13.0 (2026-11-27): the option sets the
# probability of nn.Dropout modules to 0. Llama's attention has no such module; it keeps
# `config.attention_dropout` as a number that goes into scaled_dot_product_attention, and that stays.
#   attention_dropout 0.0: first loss 0.6931
#   attention_dropout 0.5: first loss 0.7124
# Exits 1 if the loss is ln 2 in both cases: then the option reaches attention as well.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 trl==1.16.0 \
  datasets==5.2.0 accelerate==1.15.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import DPOConfig, DPOTrainer

words = [f"w{i}" for i in range(30)]
raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<eos>", *words])}))
raw.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")
rows = [
    {
        "prompt": " ".join(words[k : k + 4]),
        "chosen": " " + " ".join(words[k + 4 : k + 9]),
        "rejected": " " + " ".join(words[k + 10 : k + 15]),
    }
    for k in range(8)
]


def first_loss(dropout):
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, attention_dropout=dropout,
        pad_token_id=0, eos_token_id=1, bos_token_id=None, initializer_range=0.3,
    )
    set_seed(0)
    model, reference = LlamaForCausalLM(config), LlamaForCausalLM(config)
    reference.load_state_dict(model.state_dict())
    options = DPOConfig(
        output_dir="out", max_steps=1, per_device_train_batch_size=8, logging_steps=1,
        report_to="none", use_cpu=True, disable_dropout=True, learning_rate=1e-9, bf16=False,
        gradient_checkpointing=False, save_strategy="no", disable_tqdm=True,
    )
    trainer = DPOTrainer(
        model=model, ref_model=reference, args=options, processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
    )
    trainer.train()
    return next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)


without, inside = first_loss(0.0), first_loss(0.5)
print(f"ln 2 {math.log(2):.4f}; attention_dropout 0.0: {without:.4f}; 0.5: {inside:.4f}")
if abs(without - math.log(2)) > 1e-4:
    sys.exit("the plain model's first loss is not ln 2: this script no longer measures the option")
if abs(inside - math.log(2)) < 1e-3:
    sys.exit("changed: disable_dropout now reaches the dropout inside attention")
PYTHON
