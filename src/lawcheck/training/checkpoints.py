"""Trainer checkpoints: whole or partial, as recorded or damaged. No torch."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.reading import MEASURED, read_object
from lawcheck.files.records import Processes, TrainerState, fitting

PROCESSES, STATE = "processes.json", "trainer_state.json"
# Shards of many GB are told apart by their size: hashing them would hold the accelerators up.
HASHED_BYTES = 1 << 30
AGAIN = "remove the checkpoint, training goes on from the one before it"


def seal_checkpoint(checkpoint: Path, run_id: str, made_from: Mapping[str, str] | None) -> None:
    """Record a whole checkpoint's files, the largest of them by their size alone."""
    sizes = {
        p.relative_to(checkpoint).as_posix(): p.stat().st_size
        for p in sorted(checkpoint.rglob("*"))
        if p.is_file()
    }
    origin.seal(
        checkpoint / STATE,
        "checkpoint",
        f"{run_id} {checkpoint.name}",
        files=[n for n, size in sizes.items() if size <= HASHED_BYTES],
        made_from=made_from or {},
        holds={"sizes": {n: size for n, size in sizes.items() if size > HASHED_BYTES}},
    )


def require_checkpoint(
    checkpoint: Path, run_id: str, made_from: Mapping[str, str] | None = None
) -> None:
    """Raises OriginError for a checkpoint that is damaged or made from something else."""
    name, step = f"{run_id} {checkpoint.name}", "training goes on from the one before it"
    found = origin.require(checkpoint / STATE, "checkpoint", name, step, made_from)
    sizes = found.holds.get("sizes")
    if not isinstance(sizes, dict):
        raise origin.OriginError(
            "changed", found.label, checkpoint / STATE, "a record without sizes", "sizes", step
        )
    for file, expected in sizes.items():
        path = checkpoint / file
        size = path.stat().st_size if origin.inside(file) and path.is_file() else 0
        if size != expected:
            raise origin.OriginError(
                "changed", found.label, path, f"{size} bytes", f"{expected} bytes", step
            )


def discard_damaged(
    folder: Path, run_id: str, made_from: Mapping[str, str] | None = None
) -> list[str]:
    """Remove whole checkpoints that are not as recorded, so that none is gone on from.

    Returns a line for each, with paths relative to the folder.
    """
    lines = []
    for checkpoint in by_step(folder):
        try:
            require_checkpoint(checkpoint, run_id, made_from)
        except origin.OriginError as fault:
            lines.append(str(fault).replace(f"{folder}/", ""))
            print(f"lawcheck: {fault}", file=sys.stderr)
            discard(checkpoint)
    return lines


def is_whole(checkpoint: Path) -> bool:
    """Whether every process wrote its part; trainer_state.json is the last file of one alone."""
    try:
        read_object(checkpoint / STATE, AGAIN, decoder=MEASURED)
    except InputError:
        return False
    shared = any(checkpoint.glob("global_step*")) or (checkpoint / "rng_state_0.pth").exists()
    return not shared or (checkpoint / PROCESSES).is_file()


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    whole = [p for p in by_step(folder) if is_whole(p)]
    return whole[-1] if whole else None


def by_step(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))


def discard(checkpoint: Path) -> None:
    # First what makes it whole: a removal may be cut short as well.
    (checkpoint / STATE).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)


def kept_state(checkpoint: Path, callback: type) -> dict[str, Any]:
    """Attributes that a callback had when the checkpoint was written; empty where it kept none."""
    state = read_object(checkpoint / STATE, AGAIN, decoder=MEASURED)
    fitting(state, TrainerState, f"{checkpoint.name}/{STATE}", AGAIN)
    found = state.get("stateful_callbacks", {}).get(callback.__name__, {})
    return dict(found.get("attributes", {})) if isinstance(found, dict) else {}


def discard_partial(folder: Path) -> None:
    """Remove checkpoints that were being written when a process died.

    The two of the highest step are kept; a partial one would push a whole one out.
    """
    for path in folder.glob("checkpoint-*"):
        if not is_whole(path):
            discard(path)


def checkpoint_processes(checkpoint: Path) -> int:
    """How many processes wrote a sharded checkpoint."""
    content = read_object(checkpoint / PROCESSES, AGAIN)
    fitting(content, Processes, f"{checkpoint.name}/{PROCESSES}", AGAIN)
    return int(content["processes"])
