"""One run that learns no rows: merged from its parents, or left where a diverged parent ended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import logging

from lawcheck.declare import discovery
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Scale
from lawcheck.files.atomic import atomic_folder, write_json
from lawcheck.files.holding import held
from lawcheck.planning.cost import adapter_settings
from lawcheck.training import record
from lawcheck.training.chain import load_model
from lawcheck.training.launch import rank
from lawcheck.training.outcome import versions
from lawcheck.training.record import Link


def make_run(
    run: Run,
    scale: Scale,
    base_folder: Path | str,
    out: Path,
    folders: Mapping[str, Path],
    *,
    start: Sequence[Link] = (),
    parents: Sequence[str] = (),
    diverged: str | None = None,
    wait: float = 0.0,
    made_from: Mapping[str, str] | None = None,
    fit: Callable[[Any], None],
) -> dict[str, Any]:
    """Build a run's model, save it as out/adapter/ and, last, out/train.json. Returns the record.

    folders: what the method builds from (`Method.takes`). start: what is built on. parents: ids,
    for the record. diverged: the parent that did; the run is then what it would have begun with,
    and its record says that it diverged. Of several processes the first one makes it; the others
    get an empty record at once. wait, made_from: as of `train_run`. fit: sets what building leaves
    open. Nothing runs on an accelerator.

    Raises InputError for a folder that a live process holds, and whatever the method raises.
    """
    if rank() != 0:
        return {}
    with held(out / record.LOCK, f"run folder {out.name!r}", wait):
        if record.is_trained(out, run.id, made_from):
            return record.read_record(out) or {}
        wall, cpu = time.monotonic(), time.process_time()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        method, module = discovery.method(run.arm.method), discovery.method_module(run.arm.method)
        model = load_model(base_folder, scale.revision(run.arm.base), start, dtype=torch.float32)
        if not (diverged and method.takes == "models"):
            settings = adapter_settings(scale)
            model = module.build(model, run.arm.choices, settings, run.seed, folders)
            fit(model)
        with atomic_folder(out / record.ADAPTER) as folder:
            module.save(model, folder)
        found = {
            "run_id": run.id,
            "arm": run.arm.name,
            "seed": run.seed,
            "parents": list(parents),
            "trained_rows": False,
            "rows": 0,
            "tokens": 0,
            "steps": 0,
            "planned_steps": 0,
            "diverged": diverged is not None,
            "at_step": 0 if diverged else None,
            "last_good_step": 0,
            "reason": f"its parent {diverged} diverged" if diverged else "",
            "trainable_parameters": 0,
            "parameters": sum(p.numel() for p in model.parameters()),
            "trainable_percent": 0.0,
            "versions": versions(),
            "weights_sha256": record.weights_sha256(out / record.ADAPTER),
            "cpu_seconds": time.process_time() - cpu,
            "wall_seconds": time.monotonic() - wall,
        }
        write_json(out / record.RECORD, found)
        record.seal(out, run.id, made_from)
        # Of a run whose parent has diverged since it was begun.
        shutil.rmtree(out / record.CHECKPOINTS, ignore_errors=True)
        return found
