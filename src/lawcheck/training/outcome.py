"""What train.json says of a trained run."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import resource
import sys
from dataclasses import dataclass
from typing import Any

import torch

from lawcheck.training.data import MicroBatches
from lawcheck.training.launch import world_size
from lawcheck.training.phases import PhasedBatches
from lawcheck.training.resuming import Resumed
from lawcheck.training.start import Start
from lawcheck.training.trainer import CompletionTrainer

PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "numpy")


def versions(*more: str) -> dict[str, str]:
    """Of Python, the packages that train, and these."""
    found = {p: importlib.metadata.version(p) for p in (*PACKAGES, *more)}
    return {"python": platform.python_version(), **found}


@dataclass(frozen=True)
class Size:
    """Parameters of the model as it was built, of whole tensors."""

    trainable: int
    total: int


def outcome(
    start: Start,
    batches: MicroBatches | PhasedBatches,
    trainer: CompletionTrainer,
    resumed: Resumed,
    size: Size,
    state: dict[str, Any] | None,
    setup: float,
    loop: float,
) -> dict[str, Any]:
    """The record without what is only known once the weights are saved.

    state: of `lawcheck.training.health.health`. setup, loop: seconds before and in the loop.
    """
    run, encoded, watch = start.run, batches.encoded, trainer.watch
    hardware = start.scale.hardware
    # `encoded` holds the samples of one epoch, or of every phase that has begun.
    begun = len(batches.counts) if isinstance(batches, PhasedBatches) else None
    epochs = start.epochs_run if begun is None else 1
    covered = batches.steps * (begun or epochs)
    steps, planned = trainer.state.global_step, batches.steps * start.epochs_run
    tokens = int(encoded.lengths.sum()) * epochs
    # A resumed loop only took the remaining steps.
    first = resumed.step
    share = (steps - first) / max(covered, 1)
    objective = start.objective
    other: dict[str, Any] = {}
    if objective.name != "response":
        other["objective"] = objective.name
    if objective.pairs:
        other |= {
            "beta": objective.weight(start.recipe),
            "rows_before": len(encoded.ids) + encoded.lost + encoded.unpaired,
            "rows_unpaired": encoded.unpaired,
        }
    return {
        "run_id": run.id,
        "arm": run.arm.name,
        "seed": run.seed,
        "rows": len(encoded.ids),
        "rows_cut": encoded.cut,
        "rows_lost": encoded.lost,
        "tokens": tokens,
        "response_tokens": int((encoded.lengths - encoded.answers).sum()) * epochs,
        "steps": steps,
        "planned_steps": planned,
        "accumulation_steps": batches.parts // world_size(),
        "world_size": world_size(),
        "zero_stage": start.stage,
        "resumed_at_step": first or None,
        "checkpoints_discarded": resumed.discarded,
        "diverged": watch.diverged,
        "at_step": watch.at_step,
        "last_good_step": watch.last_good_step if watch.diverged else steps,
        "reason": watch.reason,
        "health": state,
        "loss": [
            {k: _finite(entry.get(k)) for k in ("step", "loss", "grad_norm", "learning_rate")}
            for entry in trainer.state.log_history
            if "loss" in entry
        ],
        "trainable_parameters": size.trainable,
        "parameters": size.total,
        "trainable_percent": 100 * size.trainable / size.total,
        "tokens_per_second": tokens * share / loop,
        "milliseconds_per_step": 1000 * loop / max(steps - first, 1),
        "setup_seconds": setup,
        "peak_memory_bytes": _peak_memory(hardware.device),
        "device": hardware.device,
        "precision": hardware.precision,
        "threads": torch.get_num_threads(),
        "versions": versions(*(["deepspeed"] if start.stage else [])),
        **other,
    }


def _finite(value: Any) -> Any:
    return value if value is None or math.isfinite(value) else None


def _peak_memory(device: str) -> int:
    """Bytes: of the accelerator, or the resident peak of the whole process so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024
