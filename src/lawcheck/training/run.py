"""One run from rows to an adapter folder and its record."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import math
import platform
import resource
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import logging

from lawcheck.declare import discovery
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.files import interruption
from lawcheck.files.atomic import atomic_folder, write_json
from lawcheck.files.holding import held
from lawcheck.planning.cost import adapter_settings
from lawcheck.training import data, mixture, record, sharding
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.checkpoints import (
    checkpoint_processes,
    discard_damaged,
    discard_partial,
    kept_state,
    last_checkpoint,
)
from lawcheck.training.divergence import SNAPSHOT_LIMIT, DivergenceWatch
from lawcheck.training.hardware import accumulation_steps, check_attention
from lawcheck.training.health import fingerprints, health
from lawcheck.training.launch import rank, world_size
from lawcheck.training.start import load_model
from lawcheck.training.trainer import CompletionTrainer, TimedCheckpoints, arguments

# Micro-batches that a router's record is read from.
LAST_BATCHES = 2
PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "numpy")


def train_run(
    run: Run,
    scale: Scale,
    rows: mixture.Rows | mixture.StoredMixture,
    base_folder: Path | str,
    out: Path,
    experts: Mapping[str, Path] | None = None,
    *,
    start: Sequence[record.Link] = (),
    checkpoint_seconds: float = 600.0,
    wait: float = 0.0,
    made_from: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train one run and write out/adapter/ and, last, out/train.json. Returns the record.

    rows: {"id", "prompt", "response"}, ids unique, or a mixture whose tokens are stored.
    base_folder: a folder, or a hub's name where the scale's base is pretrained. experts: folders
    that the method builds from (`Method.takes`). start: the runs whose model the run starts from,
    first to last; empty for the base model. A complete run is not trained again; an interrupted
    one goes on from its last checkpoint and ends in the same weights. A diverged run is saved at
    its last good state, with record["diverged"] true. Every process of a run calls this; where
    the scale's hardware names a zero_stage, through DeepSpeed. wait: seconds to wait for another
    live process that holds the folder. made_from: digests of corpus, base and parents
    (lawcheck.planning.sources); a run or checkpoint made from others is not gone on from. None
    compares nothing.

    A process that is asked to end keeps a checkpoint and raises interruption.Interrupted.

    Raises InputError for a folder that a live process holds, a batch that does not divide, a
    method that trains nothing, and for rows as `data.encode` says.
    """
    if run.arm.recipe is None:
        raise InputError(f"run {run.id!r}: its arm trains nothing; evaluate the base model instead")
    check_attention(scale.hardware)
    stage = scale.hardware.stage(discovery.method(run.arm.method).group)
    # Only the first process writes; the others follow it.
    lock = held(out / record.LOCK, f"run folder {out.name!r}", wait)
    with lock if rank() == 0 else contextlib.nullcontext():
        if record.is_trained(out, run.id, made_from):
            found = record.read_record(out)
            assert found is not None
            if rank() == 0:
                # A process may have died after the record and before it removed them.
                shutil.rmtree(out / record.CHECKPOINTS, ignore_errors=True)
            return found
        together = sharding.processes(scale.hardware) if stage else contextlib.nullcontext()
        with interruption.deferred(), together:
            return _train(
                run,
                scale,
                rows,
                base_folder,
                out,
                experts or {},
                start,
                checkpoint_seconds,
                stage,
                made_from,
            )


def _train(
    run: Run,
    scale: Scale,
    rows: mixture.Rows | mixture.StoredMixture,
    base_folder: Path | str,
    out: Path,
    experts: Mapping[str, Path],
    start: Sequence[record.Link],
    checkpoint_seconds: float,
    stage: int | None,
    made_from: Mapping[str, str] | None,
) -> dict[str, Any]:
    began, checkpoints = time.monotonic(), TimedCheckpoints(checkpoint_seconds)
    training, hardware = scale.training, scale.hardware
    accumulation = accumulation_steps(training.batch_size, hardware.micro_batch, world_size())
    revision = scale.revision(run.arm.base)
    tokenizer = load_tokenizer(base_folder, revision)
    # Not where one run fills its job: its rows come once, and may be too many to hold.
    known = _known(base_folder, revision) if hardware.runs_per_job > 1 else None
    encoded = mixture.encoded(rows, tokenizer, training.max_length, known)
    batches = data.MicroBatches(
        encoded,
        run.seed,
        training.batch_size,
        accumulation * world_size(),
        flat=hardware.attention == "flash",
        row=training.max_length if hardware.packing == "rows" else None,
        devices=world_size(),
    )
    # transformers warns of settings that are meant, and draws bars around files of a megabyte.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    checkpoint, universal, discarded = _resumable(
        out / record.CHECKPOINTS, stage, run.id, made_from
    )
    # Before the model, which is loaded as shards where these arguments say so.
    args = arguments(
        out=out / record.CHECKPOINTS,
        settings=scale.settings_of(run.arm.method),
        training=training,
        hardware=hardware,
        seed=run.seed,
        steps=batches.steps,
        accumulation=accumulation,
        progress=sys.stderr.isatty() and rank() == 0,
        deepspeed=sharding.configuration(stage, hardware, universal) if stage else None,
    )
    build = functools.partial(_build, run, scale, base_folder, experts, start, stage)
    model, kept = build()
    trainable = sharding.count(p for p in model.parameters() if p.requires_grad)
    total = sharding.count(model.parameters())
    # Of shards, neither weights nor routers can be read in place.
    before = None if stage else fingerprints(model)
    watch = DivergenceWatch(
        vocabulary=model.config.vocab_size,
        # Of shards, the last checkpoint is the last good state.
        snapshot_limit=0 if stage == 3 else SNAPSHOT_LIMIT,
        steps_early=stage is not None,
    )
    trainer = CompletionTrainer(
        model=model,
        watch=watch,
        run_id=run.id,
        made_from=made_from,
        args=args,
        train_dataset=batches,
        data_collator=_only,
        callbacks=[checkpoints],
    )
    if checkpoint:
        checkpoints.earlier |= kept_state(checkpoint, TimedCheckpoints).get("earlier", {})
        watch.resume(kept_state(checkpoint, DivergenceWatch))
    setup = time.monotonic() - began
    loop_began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    loop = time.monotonic() - loop_began
    if checkpoints.stopped and not watch.diverged:
        last = last_checkpoint(out / record.CHECKPOINTS)
        step = last.name.rpartition("-")[2] if last else "0"
        raise interruption.Interrupted(
            interruption.asked() or signal.SIGTERM,
            f"run {run.id!r}, checkpoint of step {step} of {batches.steps * training.epochs} kept",
        )
    watch.check_weights(model, trainer.state.global_step)
    if watch.diverged and not watch.restore(model):
        checkpoint = last_checkpoint(out / record.CHECKPOINTS)
        if checkpoint is None:
            model, kept = build()
        else:
            trainer.load_weights(checkpoint)
            watch.last_good_step = int(checkpoint.name.rpartition("-")[2])
    state = None
    if before is not None:
        state = health(
            model,
            before,
            # A model built again was never trained, nor moved to the device.
            [batches[k] for k in range(len(batches))[-LAST_BATCHES:]]
            if model is trainer.model
            else [],
            losses=list(watch.losses)[-watch.rule.patience :],
            gradient_norms=watch.gradient_norms,
            vocabulary=model.config.vocab_size,
        )
    packages = (*PACKAGES, "deepspeed") if stage else PACKAGES
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
        "world_size": world_size(),
        "zero_stage": stage,
        "resumed_at_step": trainer._initial_global_step or None,
        "checkpoints_discarded": discarded,
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
            **{p: importlib.metadata.version(p) for p in packages},
        },
    }
    with sharding.whole(model, kept):
        if trainer.is_world_process_zero():
            with atomic_folder(out / record.ADAPTER) as folder:
                discovery.method_module(run.arm.method).save(model, folder)
    if trainer.is_world_process_zero():
        found["weights_sha256"] = record.weights_sha256(out / record.ADAPTER)
        found |= checkpoints.spent
        write_json(out / record.RECORD, found)
        record.seal(out, run.id, made_from)
        shutil.rmtree(out / record.CHECKPOINTS, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    return found if trainer.is_world_process_zero() else record.read_record(out) or found


def _resumable(
    folder: Path, stage: int | None, run_id: str, made_from: Mapping[str, str] | None
) -> tuple[Path | None, bool, list[str]]:
    """The checkpoint to go on from, and whether it is read in the form for any process count.

    Also one line for every whole checkpoint that was damaged or made from something else (first
    process only): the one before it is taken, or the start.
    """
    discarded: list[str] = []
    if rank() == 0:
        discard_partial(folder)
        discarded = discard_damaged(folder, run_id, made_from)
    if stage:
        torch.distributed.barrier()
    checkpoint = last_checkpoint(folder)
    if not stage or checkpoint is None or checkpoint_processes(checkpoint) == world_size():
        return checkpoint, False, discarded
    if rank() == 0:
        sharding.make_universal(checkpoint)
    torch.distributed.barrier()
    return checkpoint, True, discarded


def _build(
    run: Run,
    scale: Scale,
    base_folder: Path | str,
    experts: Mapping[str, Path],
    start: Sequence[record.Link],
    stage: int | None,
) -> tuple[Any, list[nn.Parameter]]:
    """The model ready to train, and the parameters that its saved form holds."""
    method = discovery.method(run.arm.method)
    # Parameters that move are kept in float32; frozen ones may be held in the scale's precision.
    # DeepSpeed keeps its own float32 copy of what moves.
    frozen = (method.group == "peft" or stage) and scale.hardware.precision == "bfloat16"
    flash = scale.hardware.attention == "flash"
    model = load_model(
        base_folder,
        scale.revision(run.arm.base),
        start,
        dtype=torch.bfloat16 if frozen else torch.float32,
        **({"attn_implementation": "flash_attention_2"} if flash else {}),
    )
    base = {id(p) for p in model.parameters()}
    module = discovery.method_module(run.arm.method)
    built = module.build(model, run.arm.choices, adapter_settings(scale), run.seed, experts)
    return built, [p for p in built.parameters() if p.requires_grad or id(p) not in base]


@functools.lru_cache(maxsize=1)
def _known(base_folder: Path | str, revision: str) -> dict[tuple[str, str], data.Sample]:
    """Encoded samples of the base in use: 1.2 -> 0.05 of about 18 CPU s a run, after the first."""
    return {}


def _only(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    (item,) = items
    return item


def _finite(value: Any) -> Any:
    return value if value is None or math.isfinite(value) else None


def _peak_memory(device: str) -> int:
    """Bytes: of the accelerator, or the resident peak of the whole process so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024
