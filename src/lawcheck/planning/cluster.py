"""What a job asks a cluster for, from a scale's hardware and the site's settings."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from lawcheck.declare.scale import Hardware
from lawcheck.planning.site import Site

# train: a batch of runs. evaluate: scoring them. build: a base model. data: corpus and mixtures.
# light: scores, verdicts, tables and pages.
Stage = Literal["train", "evaluate", "build", "data", "light"]

# Starting Python with its libraries, and loading a base model.
START_MINUTES = 10
# Peak of corpus and mixtures, which stream their rows; a scale on smaller machines asks for less.
DATA_MEMORY_MB = 16_000
# SIGTERM this long before the time is up: a training keeps a checkpoint and the retry resumes.
SIGNAL = "--signal=TERM@120"


def asked(
    hardware: Hardware, runs: int = 1, stage: Stage = "train", site: Site | None = None
) -> dict[str, Any]:
    """Resources of one job, by the names that a workflow engine's Slurm executor maps to sbatch.

    runs: how many the job carries. Only training takes every accelerator of a node, and its nodes;
    scoring and building take one accelerator and its share of a node's processors and memory. What
    is not named is left to the engine's defaults. nodes, gres and tasks are named only where a job
    spans nodes: `mpi` makes the executor start the command once, through `launcher`.
    """
    site = site or Site()
    devices = hardware.gpus_per_node
    found: dict[str, Any] = {}
    if stage == "train":
        found |= {
            "mem_mb": hardware.memory_mb,
            "runtime": round(START_MINUTES + hardware.minutes_per_run * runs),
            "cpus_per_task": hardware.cpus_per_node,
        }
    elif stage in ("evaluate", "build"):
        shares = max(devices, 1)
        found |= {
            "mem_mb": math.ceil(hardware.memory_mb / shares),
            "cpus_per_task": max(hardware.cpus_per_node // shares, 1),
        }
        if stage == "evaluate":
            minutes = hardware.evaluation_minutes or hardware.minutes_per_run
            found["runtime"] = round(START_MINUTES + minutes * runs)
    elif stage == "data":
        found["mem_mb"] = min(hardware.memory_mb, DATA_MEMORY_MB)
    accelerated = devices > 0 and stage in ("train", "evaluate", "build")
    if stage == "train" and hardware.nodes > 1:
        found |= {
            "mpi": "srun",
            "nodes": hardware.nodes,
            "tasks": hardware.nodes,
            # Otherwise the executor asks for one task a GPU and starts the command that often.
            "tasks_per_gpu": 0,
        }
        if devices:
            found |= _per_node(site.gpu, devices)
    elif accelerated:
        found |= _alone(site.gpu, devices if stage == "train" else 1)
    named = {
        "slurm_account": site.account,
        "slurm_partition": site.partition if accelerated else site.cpu_partition or site.partition,
        "qos": site.qos,
        "constraint": site.constraint if accelerated or not site.cpu_partition else "",
    }
    return found | {name: value for name, value in named.items() if value}


def _plain(kind: str) -> bool:
    """Whether the executor takes the type as it is: it knows no hyphens."""
    return re.fullmatch(r"[\w.]*", kind) is not None


def _per_node(kind: str, count: int) -> dict[str, Any]:
    if _plain(kind):
        return {"gres": f"gpu:{kind}:{count}" if kind else f"gpu:{count}"}
    return {"slurm_extra": f"{SIGNAL} --gpus-per-node={kind}:{count}"}


def _alone(kind: str, count: int) -> dict[str, Any]:
    if _plain(kind):
        return {"gpu": count} | ({"gpu_model": kind} if kind else {})
    return {"slurm_extra": f"{SIGNAL} --gpus-per-node={kind}:{count}"}


def launcher(hardware: Hardware) -> str:
    """What stands before a training command: one task a node, each its node's launcher.

    Empty where a run stays on one node, and the command is the launcher itself.
    """
    if hardware.nodes == 1:
        return ""
    return (
        f"srun --nodes={hardware.nodes} --ntasks-per-node=1 "
        f"--cpus-per-task={hardware.cpus_per_node} --kill-on-bad-exit=1 "
    )
