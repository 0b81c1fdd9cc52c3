#!/usr/bin/env bash
# Expected: TRL's KTOTrainer, given pairs of a chosen and a rejected response, takes them apart and
# trains on both kinds mixed; its documentation says that it converts such a data set by itself.
# Seen with trl 1.16.0, transformers 5.23.0, datasets 5.2.0, torch 2.13.0 (2026-11-28): pairs are taken
# apart in blocks of 1,000, first all chosen, then all rejected. The default loss requires sequential
# sampling, so that nothing ever shuffles them, and every epoch is the same: 1,000 answers to
# reinforce, then 1,000 to suppress, no batch with both.
#   2,000 pairs in batches of 8: 500 batches, 0 with both labels
#   batches in a row of one label: True 125, False 125, True 125, False 125
# `unpair_preference_dataset` and a shuffle before the trainer mix them:
#   500 batches, 491 with both labels
# Exits 1 if the trainer mixes them.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 trl==1.16.0 \
  datasets==5.2.0 accelerate==1.15.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import itertools
import sys

from datasets import Dataset, disable_progress_bars
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import KTOConfig, KTOTrainer, unpair_preference_dataset

disable_progress_bars()
words = [f"w{i}" for i in range(30)]
raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<eos>", *words])}))
raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")
pairs = Dataset.from_list(
    [
        {"prompt": words[k % 30], "chosen": f" {words[k % 29]}", "rejected": f" {words[k % 28]}"}
        for k in range(2000)
    ]
)


def labels(rows):
    """Of each batch, in the order of training."""
    set_seed(0)
    config = LlamaConfig(
        vocab_size=32, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, pad_token_id=0, eos_token_id=1,
        bos_token_id=None,
    )
    options = KTOConfig(
        output_dir="out", per_device_train_batch_size=8, report_to="none", use_cpu=True, bf16=False,
        disable_tqdm=True,
    )
    trainer = KTOTrainer(
        model=LlamaForCausalLM(config), ref_model=LlamaForCausalLM(config), args=options,
        processing_class=tokenizer, train_dataset=rows,
    )
    return [{bool(label) for label in batch["label"]} for batch in trainer.get_train_dataloader()]


found = labels(pairs)
mixed = sum(len(batch) > 1 for batch in found)
print(f"2,000 pairs in batches of 8: {len(found)} batches, {mixed} with both labels")
runs = [(min(batch), len(list(same))) for batch, same in itertools.groupby(found)]
print("batches in a row of one label:", ", ".join(f"{label} {n}" for label, n in runs[:8]))
shuffled = labels(unpair_preference_dataset(pairs).shuffle(seed=0))
print(f"shuffled before: {sum(len(batch) > 1 for batch in shuffled)} with both labels")
if mixed or runs != [(True, 125), (False, 125)] * 2:
    sys.exit("changed: batches hold both labels")
PYTHON
