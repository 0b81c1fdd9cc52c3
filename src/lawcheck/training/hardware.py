"""What a scale's hardware asks for, checked before anything is loaded. No torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from lawcheck.declare import discovery
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Hardware, Scale
from lawcheck.errors import InputError


def check_training(scale: Scale, runs: Iterable[Run]) -> None:
    """Raises InputError for a batch that does not divide and for packages that are missing."""
    hardware = scale.hardware
    accumulation_steps(scale.training.batch_size, hardware.micro_batch, hardware.processes)
    check_attention(hardware)
    if any(hardware.stage(discovery.method(run.arm.method).group) for run in runs):
        require_deepspeed()


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


def check_attention(hardware: Hardware) -> None:
    """Raises InputError where flash attention is asked for and cannot run."""
    if hardware.attention != "flash":
        return
    if hardware.device != "cuda" or hardware.precision != "bfloat16":
        raise InputError(
            f"attention 'flash': found device {hardware.device} and precision "
            f"{hardware.precision}, expected cuda and bfloat16; take 'sdpa'"
        )
    if importlib.util.find_spec("flash_attn") is None:
        raise InputError(
            "attention 'flash': the package flash-attn is not installed; install it, or take 'sdpa'"
        )


def require_deepspeed() -> None:
    """Raises InputError where DeepSpeed is not installed."""
    if importlib.util.find_spec("deepspeed") is None:
        raise InputError(
            "deepspeed: not installed, and the scale's hardware names a zero_stage; run: "
            "pip install 'lawcheck[deepspeed]' (or take zero_stage out of the scale)"
        )
