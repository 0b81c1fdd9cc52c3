"""One run from rows to an adapter folder and its record."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import math
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, logging

from lawcheck import discovery
from lawcheck.atomic import atomic_folder, write_json
from lawcheck.base.tokenizer import load_tokenizer
from lawcheck.cost import adapter_settings
from lawcheck.design import Run
from lawcheck.errors import InputError
from lawcheck.scale import PretrainedBase, Scale
from lawcheck.training import data, record
from lawcheck.training.divergence import DivergenceWatch
from lawcheck.training.trainer import (
    CompletionTrainer,
    TimedCheckpoints,
    arguments,
    last_checkpoint,
)

PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "numpy")


def train_run(
    run: Run,
    scale: Scale,
    rows: Iterable[dict[str, Any]],
    base_folder: Path | str,
    out: Path,
    experts: Mapping[str, Path] | None = None,
    *,
    checkpoint_seconds: float = 600.0,
) -> dict[str, Any]:
    """Train one run and write out/adapter/ and, last, out/train.json. Returns the record.

    rows: {"id", "prompt", "response"}, ids unique. base_folder: a folder, or a hub's name where
    the scale's base is pretrained. experts: adapter folder per discipline, for
    methods that compose trained experts. A complete run is not trained again; an interrupted
    one goes on from its last checkpoint and ends in the same weights. A diverged run is saved at
    its last good state, with record["diverged"] true.

    Raises InputError for a folder that a live process holds, a batch that does not divide, a
    method that trains nothing, and for rows as `data.encode` says.
    """
    if run.arm.recipe is None:
        raise InputError(f"run {run.id!r}: its arm trains nothing; evaluate the base model instead")
    # Only the first process of a node group writes; the others follow it.
    with record.locked(out) if _rank() == 0 else contextlib.nullcontext():
        if record.is_complete(out, run.id):
            found = record.read_record(out)
            assert found is not None
            return found
        return _train(run, scale, rows, base_folder, out, experts or {}, checkpoint_seconds)


def _train(
    run: Run,
    scale: Scale,
    rows: Iterable[dict[str, Any]],
    base_folder: Path | str,
    out: Path,
    experts: Mapping[str, Path],
    checkpoint_seconds: float,
) -> dict[str, Any]:
    began, cpu_began = time.monotonic(), time.process_time()
    training, hardware = scale.training, scale.hardware
    accumulation = accumulation_steps(training.batch_size, hardware.micro_batch, _world_size())
    tokenizer = load_tokenizer(base_folder, _revision(run, scale))
    encoded = data.encode(tokenizer, rows, training.max_length)
    batches = data.MicroBatches(
        encoded, run.seed, training.batch_size, accumulation * _world_size()
    )
    # transformers warns of settings that are meant, and draws bars around files of a megabyte.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    build = functools.partial(_build, run, scale, base_folder, experts)
    model = build()
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    watch = DivergenceWatch(vocabulary=model.config.vocab_size)
    trainer = CompletionTrainer(
        model=model,
        watch=watch,
        args=arguments(
            out=out / record.CHECKPOINTS,
            settings=scale.settings_of(run.arm.method),
            training=training,
            hardware=hardware,
            seed=run.seed,
            steps=batches.steps,
            accumulation=accumulation,
            progress=sys.stderr.isatty(),
        ),
        train_dataset=batches,
        data_collator=_only,
        callbacks=[TimedCheckpoints(checkpoint_seconds)],
    )
    checkpoint = last_checkpoint(out / record.CHECKPOINTS)
    setup = time.monotonic() - began
    loop_began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    loop = time.monotonic() - loop_began
    if watch.diverged and not watch.restore(model):
        checkpoint = last_checkpoint(out / record.CHECKPOINTS)
        if checkpoint is None:
            model = build()
        else:
            trainer._load_from_checkpoint(str(checkpoint))
            watch.last_good_step = int(checkpoint.name.rpartition("-")[2])
    steps = trainer.state.global_step
    tokens = int(encoded.lengths.sum()) * training.epochs
    # A resumed loop only took the remaining steps.
    share = (steps - trainer._initial_global_step) / max(batches.steps * training.epochs, 1)
    found = {
        "run_id": run.id,
        "arm": run.arm.name,
        "seed": run.seed,
        "rows": len(encoded.ids),
        "rows_cut": encoded.cut,
        "rows_lost": encoded.lost,
        "tokens": tokens,
        "response_tokens": int((encoded.lengths - encoded.answers).sum()) * training.epochs,
        "steps": steps,
        "planned_steps": batches.steps * training.epochs,
        "accumulation_steps": accumulation,
        "world_size": _world_size(),
        "resumed_at_step": trainer._initial_global_step or None,
        "diverged": watch.diverged,
        "at_step": watch.at_step,
        "last_good_step": watch.last_good_step if watch.diverged else steps,
        "reason": watch.reason,
        "loss": [
            {k: _finite(entry.get(k)) for k in ("step", "loss", "grad_norm", "learning_rate")}
            for entry in trainer.state.log_history
            if "loss" in entry
        ],
        "trainable_parameters": trainable,
        "parameters": total,
        "trainable_percent": 100 * trainable / total,
        "tokens_per_second": tokens * share / loop,
        "milliseconds_per_step": 1000 * loop / max(steps - trainer._initial_global_step, 1),
        "setup_seconds": setup,
        "peak_memory_bytes": _peak_memory(hardware.device),
        "device": hardware.device,
        "precision": hardware.precision,
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{p: importlib.metadata.version(p) for p in PACKAGES},
        },
    }
    if trainer.is_world_process_zero():
        with atomic_folder(out / record.ADAPTER) as folder:
            discovery.method_module(run.arm.method).save(model, folder)
        found["weights_sha256"] = record.weights_sha256(out / record.ADAPTER)
        found["wall_seconds"] = time.monotonic() - began
        found["cpu_seconds"] = time.process_time() - cpu_began
        write_json(out / record.RECORD, found)
        shutil.rmtree(out / record.CHECKPOINTS, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    return found if trainer.is_world_process_zero() else record.read_record(out) or found


def accumulation_steps(batch_size: int, micro_batch: int, world_size: int) -> int:
    """Micro-batches per process and optimizer step. A micro-batch above the batch is the batch.

    Raises InputError where the batch does not divide.
    """
    micro_batch = min(micro_batch, batch_size)
    if batch_size % (micro_batch * world_size):
        raise InputError(
            f"batch size {batch_size}: not divisible by micro-batch {micro_batch} x {world_size} "
            f"processes; choose a micro-batch or process count that divides it"
        )
    return batch_size // (micro_batch * world_size)


def _build(run: Run, scale: Scale, base_folder: Path | str, experts: Mapping[str, Path]) -> Any:
    method = discovery.method(run.arm.method)
    # Parameters that move are kept in float32; frozen ones may be held in the scale's precision.
    frozen = method.group == "peft" and scale.hardware.precision == "bfloat16"
    model = AutoModelForCausalLM.from_pretrained(
        base_folder,
        revision=_revision(run, scale),
        dtype=torch.bfloat16 if frozen else torch.float32,
    )
    module = discovery.method_module(run.arm.method)
    return module.build(model, run.arm.choices, adapter_settings(scale), run.seed, experts)


def _revision(run: Run, scale: Scale) -> str:
    base = scale.bases[run.arm.base]
    return (base.revision if isinstance(base, PretrainedBase) else None) or "main"


def _only(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    (item,) = items
    return item


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _finite(value: Any) -> Any:
    return value if value is None or math.isfinite(value) else None


def _peak_memory(device: str) -> int:
    """Bytes: of the accelerator, or the resident peak of the whole process so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024
