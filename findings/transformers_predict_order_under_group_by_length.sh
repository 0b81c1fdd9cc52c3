#!/usr/bin/env bash
# Expected: `Trainer.predict(dataset)` returns one prediction for each row, in the order of the rows,
# whatever `train_sampling_strategy` says about training; scripts write them beside the rows.
# Seen with transformers 5.23.0, accelerate 1.15.0, torch 2.13.0 (2026-11-28): under `group_by_length`
# evaluation and prediction are sampled by length and shuffled too. Predictions and `label_ids` have the
# order of the batches, which is returned nowhere; metrics are right, since both moved together.
#   random: 64 of 64 predictions at the place of their row; first rows 0, 1, 2, 3, 4, 5
#   group_by_length: 0 of 64; first rows 52, 50, 14, 48, 30, 10
# Exits 1 if the predictions have the order of the rows.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 accelerate==1.15.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

ROWS = 64
torch.manual_seed(0)
# Row k is one token, k + 1, of 3 to 11 of them; its class tells nothing, its logits are its own.
rows = [
    {"input_ids": torch.full((3 + (5 * k) % 9,), k + 1), "labels": k % 2} for k in range(ROWS)
]
model = LlamaForSequenceClassification(
    LlamaConfig(
        vocab_size=ROWS + 1, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, num_labels=2,
    )
).eval()


def collate(batch):
    width = max(len(row["input_ids"]) for row in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    for place, row in zip(ids, batch):
        place[: len(row["input_ids"])] = row["input_ids"]
    labels = default_data_collator([{"labels": row["labels"]} for row in batch])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), **labels}


with torch.no_grad():
    alone = torch.cat([model(**{k: v for k, v in collate([r]).items() if k != "labels"}).logits
                       for r in rows])


def in_place(strategy):
    """Rows whose prediction stands at their place."""
    options = TrainingArguments(
        output_dir="out", train_sampling_strategy=strategy, per_device_eval_batch_size=8,
        report_to="none", use_cpu=True, disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=options, data_collator=collate)
    predicted = trainer.predict(rows)
    logits = torch.tensor(predicted.predictions)
    count = sum(torch.allclose(a, b, atol=1e-4) for a, b in zip(logits, alone))
    owners = torch.cdist(logits, alone).argmin(1)
    complete = sorted(owners.tolist()) == list(range(ROWS))
    print(f"{strategy}: {count} of {ROWS} predictions at the place of their row; first rows",
          owners[:6].tolist())
    if not complete:
        sys.exit("predictions cannot be traced to rows: nothing is measured")
    return count


if in_place("random") != ROWS:
    sys.exit("without grouping the order is another one too: nothing is measured")
if in_place("group_by_length") == ROWS:
    sys.exit("changed: predictions have the order of the rows")
PYTHON
