"""A program for tests: what DeepSpeed holds on one of its processes, as JSON lines of the first.

torchrun --standalone --nproc-per-node 2 zero_states.py
"""

import json
import os

os.environ["DS_ACCELERATOR"] = "cpu"

import deepspeed
import test_memory
import torch
from deepspeed.ops import __compatible_ops__ as operators

from lawcheck.training.sharding import configuration

# An operator that needs a compiler and half a minute.
operators["deepspeed_shm_comm"] = False


def states(case: str, stage: int, processes: int) -> dict[str, list[float]]:
    """Part -> bytes found on this process, bytes planned."""
    model, shapes, module, design = test_memory.built(case)
    hardware = test_memory.hardware("bfloat16", stage, gpus_per_node=processes)
    settings = configuration(stage, hardware)
    # What transformers fills in from the model's width.
    settings["zero_optimization"]["reduce_bucket_size"] = shapes.hidden**2
    if stage == 3:
        settings["zero_optimization"]["stage3_prefetch_bucket_size"] = shapes.hidden**2
        settings["zero_optimization"]["stage3_param_persistence_threshold"] = 10 * shapes.hidden
    settings["train_micro_batch_size_per_gpu"] = 2
    settings["train_batch_size"] = 2 * processes
    settings["gradient_accumulation_steps"] = 1
    settings["gradient_clipping"] = 1.0
    settings["bf16"] = {"enabled": True}
    moving = [p for p in model.parameters() if p.requires_grad]
    engine, optimizer, _, _ = deepspeed.initialize(
        model=model, optimizer=torch.optim.AdamW(moving), config=settings
    )
    ids = torch.randint(2, shapes.vocabulary, (2, 16))
    engine.backward(engine(input_ids=ids, labels=ids, use_cache=False).loss)
    if stage == 2:
        averaged = optimizer.averaged_gradients.values()
        gradients = sum(g.nbytes for group in averaged for g in group)
        masters = optimizer.single_partition_of_fp32_groups
    else:
        gradients = optimizer.grad_partitions_flat_buffer.nbytes
        masters = optimizer.fp32_partitioned_groups_flat
    engine.step()
    moments = [s[k] for s in optimizer.optimizer.state.values() for k in ("exp_avg", "exp_avg_sq")]
    weights = sum(getattr(p, "ds_tensor", p).nbytes for p in engine.module.parameters())
    planned = test_memory.planned(shapes, module, design, hardware)
    return {
        "weights": [weights, planned.weights],
        "gradients": [gradients, planned.gradients],
        "optimizer": [sum(t.nbytes for t in (*masters, *moments)), planned.optimizer],
    }


if __name__ == "__main__":
    deepspeed.init_distributed("gloo")
    for case, stage in (("full", 3), ("lora", 2), ("plain", 2)):
        found = states(case, stage, int(os.environ["WORLD_SIZE"]))
        if os.environ["RANK"] == "0":
            print("found", json.dumps({"case": case, **found}), flush=True)
