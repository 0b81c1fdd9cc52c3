"""DeepSpeed: its configuration, its processes, and whole tensors out of its shards.

Only the functions that need DeepSpeed import it; without a `zero_stage` nothing here is called.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lawcheck.declare.scale import Hardware
from lawcheck.errors import InputError
from lawcheck.training.hardware import require_deepspeed
from lawcheck.training.launch import free_port


def configuration(stage: int, hardware: Hardware, universal: bool = False) -> dict[str, Any]:
    """DeepSpeed's configuration. `auto` stands where transformers fills in its own settings.

    universal: the checkpoint to resume from was made independent of the number of processes.
    """
    zero: dict[str, Any] = {
        "stage": stage,
        "contiguous_gradients": True,
        "overlap_comm": hardware.device == "cuda",
        "reduce_bucket_size": "auto",
    }
    if stage == 3:
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
        }
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": "auto"},
        # Gradients of a 16-bit model are summed in 32 bits, over micro-batches and processes.
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
        # AdamW is torch's own: no operator is compiled, and its states are those of one process.
        "zero_allow_untested_optimizer": True,
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "checkpoint": {"load_universal": universal},
    }


@contextlib.contextmanager
def processes(hardware: Hardware) -> Iterator[None]:
    """Join the run's processes. What accelerate and transformers keep globally ends with it."""
    require_deepspeed()
    if hardware.device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    elif torch.cuda.device_count() <= (local := int(os.environ.get("LOCAL_RANK", "0"))):
        raise InputError(
            f"device: found {torch.cuda.device_count()} GPUs, process {local} of this node has "
            f"none; correct gpus_per_node in the scale's hardware"
        )
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    for name, value in {**alone, "MASTER_PORT": str(free_port())}.items():
        os.environ.setdefault(name, value)

    import deepspeed
    from accelerate.state import AcceleratorState
    from deepspeed.ops import __compatible_ops__ as operators
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    if hardware.device == "cpu":
        # Reductions through shared memory: an operator that needs a compiler and 30 seconds.
        operators["deepspeed_shm_comm"] = False
    # Before the first TrainingArguments, which otherwise count one process.
    deepspeed.init_distributed("gloo" if hardware.device == "cpu" else "nccl")
    # It tells that its own accumulation is off, at every run; the Trainer accumulates.
    logging.getLogger("accelerate.accelerator").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # One for every collective: DeepSpeed still calls them by their older names.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        AcceleratorState._reset_state()
        unset_hf_deepspeed_config()


def leave() -> None:
    """Part from the run's other processes; the last thing before a process ends.

    A process that ends with its connections open may abort while they are torn down.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def count(parameters: Iterator[nn.Parameter] | Collection[nn.Parameter]) -> int:
    """Elements, of whole tensors where this process holds a shard only."""
    return sum(getattr(p, "ds_numel", p.numel()) for p in parameters)


@contextlib.contextmanager
def whole(model: nn.Module, kept: Collection[nn.Parameter]) -> Iterator[None]:
    """Inside, `model.state_dict()` on the first process holds `kept` whole, on the CPU.

    Every process must enter it: each sharded tensor is gathered, copied and released in turn.
    Without shards nothing is done.
    """
    sharded = [p for p in kept if hasattr(p, "ds_id")]
    if not sharded:
        yield
        return
    import deepspeed

    copies: dict[int, Tensor] = {}
    for parameter in sharded:
        with deepspeed.zero.GatheredParameters([parameter]):
            if torch.distributed.get_rank() == 0:
                copies[id(parameter)] = parameter.detach().to("cpu", copy=True)

    def fill(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        # Tied parameters keep sharing one tensor.
        for name, parameter in module.named_parameters(remove_duplicate=False):
            if id(parameter) in copies and prefix + name in state:
                state[prefix + name] = copies[id(parameter)]

    handle = model.register_state_dict_post_hook(fill)
    try:
        yield
    finally:
        handle.remove()


def make_universal(checkpoint: Path) -> None:
    """Write the checkpoint's shards also in DeepSpeed's form for any number of processes.

    By the first process only. Leaves checkpoint/<tag>_universal and checkpoint/latest_universal.
    """
    from argparse import Namespace

    from deepspeed.checkpoint.ds_to_universal import main

    tag = (checkpoint / "latest").read_text(encoding="utf-8").strip()
    with io.StringIO() as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(
            Namespace(
                input_folder=str(checkpoint / tag),
                output_folder=str(checkpoint / f"{tag}_universal"),
                num_extract_workers=1,
                num_merge_workers=1,
                keep_temp_folder=False,
                strict=True,
                inject_missing_state=True,
            )
        )
