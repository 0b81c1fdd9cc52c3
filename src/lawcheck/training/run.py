"""One run from rows to an adapter folder and its record."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments, logging

from lawcheck.corpus import moving
from lawcheck.corpus.encoding import task_places
from lawcheck.declare import discovery
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.files import interruption
from lawcheck.files.atomic import atomic_folder, write_json
from lawcheck.files.holding import held
from lawcheck.training import data, mixture, record, reference, sharding
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.checkpoints import kept_state, last_checkpoint
from lawcheck.training.divergence import SNAPSHOT_LIMIT, DivergenceWatch
from lawcheck.training.hardware import accumulation_steps, check_attention
from lawcheck.training.health import fingerprints, health
from lawcheck.training.isolation import packs
from lawcheck.training.launch import rank, world_size
from lawcheck.training.outcome import Size, outcome
from lawcheck.training.phases import MovingWeights, PhasedBatches, held_out_losses
from lawcheck.training.resuming import Resumed, resumable
from lawcheck.training.selection import SelectedRows
from lawcheck.training.start import Start, build_model
from lawcheck.training.trainer import CompletionTrainer, StopAfter, TimedCheckpoints, arguments

# Micro-batches that a router's record is read from.
LAST_BATCHES = 2


def train_run(
    run: Run,
    scale: Scale,
    rows: mixture.Rows | mixture.StoredMixture | mixture.DomainRows,
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

    rows: {"id", "prompt", "response"} or what the recipe's objective asks for, ids unique, or a
    mixture whose tokens are stored or whose shares move.
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
            first = Start(run, scale, base_folder, experts or {}, stage, start)
            return _train(first, rows, out, checkpoint_seconds, made_from)


def _train(
    start: Start,
    rows: mixture.Rows | mixture.StoredMixture | mixture.DomainRows,
    out: Path,
    checkpoint_seconds: float,
    made_from: Mapping[str, str] | None,
) -> dict[str, Any]:
    began, checkpoints = time.monotonic(), TimedCheckpoints(checkpoint_seconds)
    run = start.run
    module = discovery.objective_module(start.objective.name)
    beta = start.objective.weight(start.recipe)
    # transformers warns of settings that are meant, and draws bars around files of a megabyte.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    hardware = start.scale.hardware
    packed = packs(start.base_folder, start.revision, hardware.device, hardware.attention)
    batches = _batches(start, rows, module, packed)
    last = batches.steps * start.epochs_run
    before_training = None
    if start.objective.reference:
        assert isinstance(batches, data.MicroBatches)
        before_training = _reference(run.id, out, batches, made_from)
    resumed = resumable(out / record.CHECKPOINTS, start.stage, run.id, made_from)
    # Before the model, which is loaded as shards where these arguments say so.
    args = _arguments(start, batches, out, resumed)
    model, kept = build_model(start)
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        prepare(model)
    if hasattr(model, "tell_tasks") and batches.encoded.tasks is None:
        raise InputError(
            f"run {run.id!r}: its method learns tasks, and its rows name none; give the recipe a "
            f"selection of tasks"
        )
    size = Size(
        trainable=sharding.count(p for p in model.parameters() if p.requires_grad),
        total=sharding.count(model.parameters()),
    )
    # Of shards, neither weights nor routers can be read in place.
    before = None if start.stage else fingerprints(model)
    watch = DivergenceWatch(
        vocabulary=model.config.vocab_size,
        # Of shards, the last checkpoint is the last good state.
        snapshot_limit=0 if start.stage == 3 else SNAPSHOT_LIMIT,
        steps_early=start.stage is not None,
    )
    trainer = CompletionTrainer(
        model=model,
        watch=watch,
        run_id=run.id,
        made_from=made_from,
        objective=module,
        beta=beta,
        before=before_training,
        args=args,
        train_dataset=batches,
        data_collator=_only,
        callbacks=[StopAfter(last), checkpoints],
    )
    weights = _weights(start, rows, batches, trainer, packed)
    if weights is not None:
        trainer.add_callback(weights)
        if resumed.checkpoint:
            weights.resume(kept_state(resumed.checkpoint, MovingWeights))
    if resumed.checkpoint:
        checkpoints.earlier |= kept_state(resumed.checkpoint, TimedCheckpoints).get("earlier", {})
        watch.resume(kept_state(resumed.checkpoint, DivergenceWatch))
    setup = time.monotonic() - began
    loop_began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resumed.checkpoint) if resumed.checkpoint else None)
    loop = time.monotonic() - loop_began
    if checkpoints.stopped and not watch.diverged:
        raise _interrupted(run.id, out, last)
    watch.check_weights(model, trainer.state.global_step)
    if watch.diverged:
        model, kept = _last_good(start, out, trainer, model, kept)
    found = outcome(
        start,
        batches,
        trainer,
        resumed,
        size,
        _health(trainer, model, before, batches),
        setup,
        loop,
    )
    if weights is not None:
        found["mixture"] = weights.record()
        found["probe_seconds"] = weights.seconds
    if not packed:
        found["packed"] = False
    if isinstance(rows, SelectedRows):
        found["selection"] = rows.record()
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


def _batches(
    start: Start,
    rows: mixture.Rows | mixture.StoredMixture | mixture.DomainRows,
    objective: ModuleType,
    packed: bool,
) -> data.MicroBatches | PhasedBatches:
    training, hardware = start.scale.training, start.scale.hardware
    accumulation = accumulation_steps(training.batch_size, hardware.micro_batch, world_size())
    tokenizer = load_tokenizer(start.base_folder, start.revision)
    # Not where one run fills its job: its rows come once, and may be too many to hold.
    known = _known(start.base_folder, start.revision) if hardware.runs_per_job > 1 else None
    batches = functools.partial(
        data.MicroBatches,
        seed=start.run.seed,
        batch_size=training.batch_size,
        parts=accumulation * world_size(),
        flat=hardware.attention == "flash",
        row=training.max_length if hardware.packing == "rows" else None,
        devices=world_size(),
        replica=start.recipe.replica,
        packed=packed,
    )
    if not isinstance(rows, mixture.DomainRows):
        found = mixture.encoded(rows, tokenizer, training.max_length, known, objective)
        if isinstance(rows, SelectedRows) and found.per_row == 1:
            tasks = task_places(found.ids, rows, tuple(rows.counts))
            found = dataclasses.replace(found, tasks=tasks)
        return batches(found)
    recipe = start.recipe
    assert recipe.mixture is not None
    domains = mixture.encoded_domains(rows, tokenizer, training.max_length, known)
    sizes = {name: len(own) for name, own in domains.learned.items()}
    moving.check_distinct(recipe.mixture, sizes, training.batch_size)
    each = moving.phase_rows(recipe, start.scale.corpus.size, start.passes)
    return PhasedBatches(domains, each, batches)


def _weights(
    start: Start,
    rows: mixture.Rows | mixture.StoredMixture | mixture.DomainRows,
    batches: data.MicroBatches | PhasedBatches,
    trainer: CompletionTrainer,
    packed: bool,
) -> MovingWeights | None:
    """What sets the weights of a mixture's phases; None of rows that are known from the start."""
    if not isinstance(batches, PhasedBatches):
        return None
    declared, hardware = start.run.arm.mixture, start.scale.hardware
    assert isinstance(rows, mixture.DomainRows)
    assert declared is not None
    measure = functools.partial(
        held_out_losses,
        trainer,
        batches.domains,
        hardware.micro_batch,
        hardware.attention == "flash",
        packed,
    )
    rule = discovery.mixing_rule(declared.update)
    return MovingWeights(rule, declared, rows.weights, batches, measure, rows.reference)


def _reference(
    run_id: str, out: Path, batches: data.MicroBatches, made_from: Mapping[str, str] | None
) -> Callable[[CompletionTrainer], None] | None:
    """Give the batches the start's log-probabilities, now or, if not None, before the first step.

    Without those of an earlier process its checkpoints are removed: the start is gone.
    """
    batches.reference = reference.stored(out, run_id, made_from, batches.encoded)
    if batches.reference is not None:
        return None
    if rank() == 0:
        shutil.rmtree(out / record.CHECKPOINTS, ignore_errors=True)

    def compute(trainer: CompletionTrainer) -> None:
        batches.reference = reference.compute(trainer, batches)
        if rank() == 0:
            reference.keep(out, run_id, made_from, batches.encoded, batches.reference)

    return compute


def _arguments(
    start: Start, batches: data.MicroBatches | PhasedBatches, out: Path, resumed: Resumed
) -> TrainingArguments:
    scale, hardware = start.scale, start.scale.hardware
    return arguments(
        out=out / record.CHECKPOINTS,
        settings=scale.settings_of(start.run.arm.method, start.objective.name),
        training=scale.training,
        hardware=hardware,
        seed=start.run.seed,
        steps=batches.steps,
        epochs=start.epochs,
        accumulation=batches.parts // world_size(),
        progress=sys.stderr.isatty() and rank() == 0,
        deepspeed=(
            sharding.configuration(start.stage, hardware, resumed.universal)
            if start.stage
            else None
        ),
    )


def _interrupted(run_id: str, out: Path, planned: int) -> interruption.Interrupted:
    last = last_checkpoint(out / record.CHECKPOINTS)
    step = last.name.rpartition("-")[2] if last else "0"
    return interruption.Interrupted(
        interruption.asked() or signal.SIGTERM,
        f"run {run_id!r}, checkpoint of step {step} of {planned} kept",
    )


def _last_good(
    start: Start, out: Path, trainer: CompletionTrainer, model: Any, kept: list[nn.Parameter]
) -> tuple[Any, list[nn.Parameter]]:
    """A diverged run's model as it last was healthy: from memory, a checkpoint, or the start."""
    if trainer.watch.restore(model):
        return model, kept
    checkpoint = last_checkpoint(out / record.CHECKPOINTS)
    if checkpoint is None:
        return build_model(start)
    trainer.load_weights(checkpoint)
    trainer.watch.last_good_step = int(checkpoint.name.rpartition("-")[2])
    return model, kept


def _health(
    trainer: CompletionTrainer,
    model: Any,
    before: Mapping[str, float] | None,
    batches: data.MicroBatches | PhasedBatches,
) -> dict[str, Any] | None:
    """before: `fingerprints` of the start; None of shards, which are not looked at."""
    if before is None:
        return None
    watch = trainer.watch
    return health(
        model,
        before,
        # A model built again was never trained, nor moved to the device.
        [batches[k] for k in range(len(batches))[-LAST_BATCHES:]] if model is trainer.model else [],
        losses=list(watch.losses)[-watch.rule.patience :],
        gradient_norms=watch.gradient_norms,
        vocabulary=model.config.vocab_size,
    )


@functools.lru_cache(maxsize=1)
def _known(base_folder: Path | str, revision: str) -> dict[tuple[str, str], data.Sample]:
    """Encoded samples of the base in use: 1.2 -> 0.05 of about 18 CPU s a run, after the first."""
    return {}


def _only(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    (item,) = items
    return item
