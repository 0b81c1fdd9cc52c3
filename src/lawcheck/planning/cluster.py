"""What a job asks a cluster for, from a scale's hardware. Every retry asks for more."""

from __future__ import annotations

from typing import Any

from lawcheck.declare.scale import Hardware

# Starting Python with its libraries, and loading a base model.
START_MINUTES = 10


def asked(hardware: Hardware, runs: int, attempt: int = 1, training: bool = True) -> dict[str, Any]:
    """Resources of one job, by the names that a workflow engine's Slurm executor maps to sbatch.

    runs: how many the job carries. attempt: from 1; time and memory grow with it, because a
    retry is a new submission. A job that does not train takes one node and one accelerator.
    nodes, gres and tasks are named only where a job spans nodes: `mpi` makes the executor start
    the command once, through `launcher`.
    """
    found: dict[str, Any] = {
        "mem_mb": hardware.memory_mb * attempt,
        "runtime": round((START_MINUTES + hardware.minutes_per_run * runs) * attempt),
        "cpus_per_task": hardware.cpus_per_node,
    }
    if hardware.gpus_per_node and (hardware.nodes == 1 or not training):
        found["gpu"] = hardware.gpus_per_node if training else 1
    elif training and hardware.nodes > 1:
        found |= {
            "mpi": "srun",
            "nodes": hardware.nodes,
            "tasks": hardware.nodes,
            # Otherwise the executor asks for one task a GPU and starts the command that often.
            "tasks_per_gpu": 0,
            "gres": f"gpu:{hardware.gpus_per_node}",
        }
    return found


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
