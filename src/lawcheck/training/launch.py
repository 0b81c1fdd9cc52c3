"""One launcher per node: start a run's processes, or find oneself started as one of them.

The processes talk through the variables that torchrun sets (RANK, LOCAL_RANK, WORLD_SIZE,
LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT), so that torchrun may start them as well. Unlike
torchrun a launcher passes the exit status of the first process that fails on, says nothing itself
and loads no torch.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lawcheck.declare.scale import Hardware
from lawcheck.errors import InputError

# Seconds that the other processes have to end by themselves after one has failed.
GRACE = 20.0


@dataclass(frozen=True)
class Place:
    """Where this node stands among a run's nodes, and where the first one listens."""

    node: int
    nodes: int
    address: str
    port: int


def is_worker() -> bool:
    """Whether a launcher started this process as one of a run's."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_workers(hardware: Hardware) -> None:
    """Raises InputError if this process was started among more or fewer than the scale names."""
    if is_worker() and world_size() != hardware.processes:
        raise InputError(
            f"launch: found {world_size()} processes (WORLD_SIZE), the scale's hardware has "
            f"{hardware.nodes} nodes x {hardware.processes_per_node}; correct nodes and "
            f"gpus_per_node, or the launcher's line"
        )


def find_place(hardware: Hardware, environment: Mapping[str, str]) -> Place:
    """This node's place: alone, among the tasks of a Slurm step, or as named by the user.

    Raises InputError where a run spans nodes and nothing says which of them this is.
    """
    if hardware.nodes == 1:
        return Place(node=0, nodes=1, address="127.0.0.1", port=free_port())
    if "MASTER_ADDR" in environment and "NODE_RANK" in environment:
        port = int(environment.get("MASTER_PORT", "29500"))
        node, found = int(environment["NODE_RANK"]), hardware.nodes
        address = environment["MASTER_ADDR"]
    elif {"SLURM_NODEID", "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_NODES"} <= environment.keys():
        node, found = int(environment["SLURM_NODEID"]), int(environment["SLURM_STEP_NUM_NODES"])
        address = _first_host(environment["SLURM_STEP_NODELIST"])
        # Two jobs on one node must not meet; ports below 20,000 are for services.
        port = 20_000 + int(environment["SLURM_JOB_ID"]) % 10_000
        if int(environment.get("SLURM_STEP_NUM_TASKS", found)) != found:
            raise InputError(
                f"launch: found {environment['SLURM_STEP_NUM_TASKS']} tasks on {found} nodes, "
                f"expected one launcher per node; add --ntasks-per-node=1 to srun"
            )
    else:
        raise InputError(
            f"launch: the scale's hardware has {hardware.nodes} nodes and nothing says which this "
            f"is; start it through srun --nodes={hardware.nodes} --ntasks-per-node=1 (or set "
            f"NODE_RANK, MASTER_ADDR and MASTER_PORT)"
        )
    if found != hardware.nodes or not 0 <= node < hardware.nodes:
        raise InputError(
            f"launch: found node {node} of {found}, the scale's hardware has {hardware.nodes}; "
            f"correct its nodes, or the launcher's line"
        )
    return Place(node=node, nodes=found, address=address, port=port)


def launch(command: Sequence[str], hardware: Hardware) -> int:
    """Run `command` once per device of this node; return the first failure's exit status, or 0.

    When a process fails the others are ended, since they would wait for it. SIGTERM and SIGINT
    are passed on. Processes killed by a signal count as 128 + signal.
    """
    place = find_place(hardware, os.environ)
    per_node = hardware.processes_per_node
    workers: list[subprocess.Popen[bytes]] = []
    with _passed_on(workers):
        try:
            for local in range(per_node):
                environment = {
                    **os.environ,
                    "RANK": str(place.node * per_node + local),
                    "LOCAL_RANK": str(local),
                    "WORLD_SIZE": str(place.nodes * per_node),
                    "LOCAL_WORLD_SIZE": str(per_node),
                    "MASTER_ADDR": place.address,
                    "MASTER_PORT": str(place.port),
                }
                workers.append(
                    subprocess.Popen(list(command), env=environment, preexec_fn=_die_with_parent)
                )
            return _wait(workers)
        finally:
            _end(workers)


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> int:
    waiting = list(workers)
    while waiting:
        for worker in waiting:
            status = worker.poll()
            if status:
                return status if status > 0 else 128 - status
        waiting = [w for w in waiting if w.returncode is None]
        time.sleep(0.05)
    return 0


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    limit = time.monotonic() + GRACE
    for worker in workers:
        try:
            worker.wait(max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


@contextlib.contextmanager
def _passed_on(workers: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Inside, signals that ask this process to end reach the workers instead."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, frame: object) -> None:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(number)

    before = {s: signal.signal(s, pass_on) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _die_with_parent() -> None:
    """Linux: a worker whose launcher is killed is killed too, instead of holding its device."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_host(hosts: str) -> str:
    """Address of the first node of a Slurm host list such as n[1-4]."""
    try:
        name = _scontrol("show", "hostnames", hosts).split()[0]
        # Where a node's name is no host's name, Slurm knows the address.
        address = re.search(r"\bNodeAddr=(\S+)", _scontrol("show", "node", name))
    except (OSError, IndexError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"launch: scontrol cannot resolve the host list {hosts!r} ({error}); set NODE_RANK, "
            f"MASTER_ADDR and MASTER_PORT yourself"
        ) from None
    return address[1] if address else name


def _scontrol(*words: str) -> str:
    return subprocess.run(["scontrol", *words], capture_output=True, text=True, check=True).stdout
