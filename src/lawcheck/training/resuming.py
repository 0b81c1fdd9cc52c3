"""Which checkpoint a run resumes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lawcheck.training import sharding
from lawcheck.training.checkpoints import (
    checkpoint_processes,
    discard_damaged,
    discard_partial,
    last_checkpoint,
)
from lawcheck.training.launch import rank, world_size


@dataclass(frozen=True)
class Resumed:
    """checkpoint: None starts at step 0. universal: read in the form for any process count.

    discarded: one line for every whole checkpoint that was damaged or made from something else
    (first process only); the one before it is taken, or the start.
    """

    checkpoint: Path | None
    universal: bool = False
    discarded: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The last one that was taken before."""
        return int(self.checkpoint.name.rpartition("-")[2]) if self.checkpoint else 0


def resumable(
    folder: Path, stage: int | None, run_id: str, made_from: Mapping[str, str] | None
) -> Resumed:
    """The newest sound checkpoint of a folder, after partial and damaged ones were removed."""
    discarded: list[str] = []
    if rank() == 0:
        discard_partial(folder)
        discarded = discard_damaged(folder, run_id, made_from)
    if stage:
        torch.distributed.barrier()
    checkpoint = last_checkpoint(folder)
    if not stage or checkpoint is None or checkpoint_processes(checkpoint) == world_size():
        return Resumed(checkpoint, discarded=discarded)
    if rank() == 0:
        sharding.make_universal(checkpoint)
    torch.distributed.barrier()
    return Resumed(checkpoint, universal=True, discarded=discarded)
