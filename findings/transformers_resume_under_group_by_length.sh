#!/usr/bin/env bash
# Expected: a run of transformers' Trainer that goes on from a checkpoint with `resume_from_checkpoint`
# and leaves `ignore_data_skip` alone trains on the rest of the epoch that was cut, each row once.
# Seen with transformers 5.23.0, accelerate 1.15.0, torch 2.13.0 (2026-11-28): so it does under the
# default sampling, and the weights are those of the run that was never cut. Under `group_by_length`
# the order of an epoch is drawn from torch's global generator, whose state at the beginning of the
# epoch is not kept. From the second epoch on, the batches that were done are skipped in another order,
# silently: rows come twice in that epoch, as many others never.
# 64 rows, 8 steps an epoch, 3 epochs, cut after step:
#    4 (epoch 1): none twice, none left out, the weights of the whole run
#   12 (epoch 2): 18 rows twice, 18 never, other weights
#   16 (between): none twice, none left out, the weights of the whole run
#   20 (epoch 3): 17 rows twice, 17 never, other weights
# Exits 1 if every row comes once under `group_by_length` too.
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
    LlamaForCausalLM,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    logging,
)

logging.disable_progress_bar()

ROWS, BATCH, EPOCHS = 64, 8, 3
STEPS = ROWS // BATCH
rows = [
    {"input_ids": (torch.arange(6 + k % 9) * (k + 1)) % 30 + 1, "row": k} for k in range(ROWS)
]


class StopAfter(TrainerCallback):
    def __init__(self, steps):
        self.steps = steps

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.steps:
            control.should_save = control.should_training_stop = True


def train(strategy, stop=None, resume=None):
    """The rows of each batch, and the weights."""
    batches = []

    def collate(batch):
        batches.append([row["row"] for row in batch])
        width = max(len(row["input_ids"]) for row in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        for place, row in zip(ids, batch):
            place[: len(row["input_ids"])] = row["input_ids"]
        return {"input_ids": ids, "labels": ids}

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2,
        )
    )
    options = TrainingArguments(
        output_dir=strategy, train_sampling_strategy=strategy, num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH, learning_rate=1e-2, seed=3, report_to="none",
        save_strategy="no", logging_strategy="no", use_cpu=True, disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(
        model=model, args=options, train_dataset=rows, data_collator=collate,
        callbacks=[StopAfter(stop)] if stop else [],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=resume)
    return batches, torch.cat([p.detach().flatten() for p in model.parameters()])


def cut_after(strategy, stop):
    """Rows that come twice in the epoch that is cut, rows that never do."""
    _, whole = train(strategy)
    first, _ = train(strategy, stop=stop)
    rest, weights = train(strategy, resume=f"{strategy}/checkpoint-{stop}")
    # A loader is a batch ahead of the training.
    trained = first[:stop] + rest
    if len(trained) != EPOCHS * STEPS:
        sys.exit("batches that are skipped are loaded: nothing is measured")
    epoch = stop // STEPS
    seen = sum(trained[epoch * STEPS : (epoch + 1) * STEPS], [])
    twice, never = len(seen) - len(set(seen)), ROWS - len(set(seen))
    same = torch.equal(weights, whole)
    print(
        f"{strategy}, cut at step {stop} of {EPOCHS * STEPS}, {STEPS} an epoch: {twice} of {ROWS} "
        f"rows twice, {never} never; weights of the whole run: {'yes' if same else 'no'}"
    )
    return twice + never


if cut_after("random", 12):
    sys.exit("random sampling does not go on where it was cut: nothing is measured")
for stop in (4, 12, 16, 20):
    wrong = cut_after("group_by_length", stop)
    if not wrong and stop in (12, 20):
        sys.exit("changed: every row comes once")
PYTHON
