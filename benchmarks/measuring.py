"""What the benchmarks share: contenders in turn, ratios per round, saved memory, the machine."""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

PACKAGES = ("torch", "transformers", "peft", "lm_eval", "snakemake")


def machine(device: str = "cpu") -> str:
    """One line: processor or card, threads, versions."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    versions = ", ".join(f"{p} {version(p)}" for p in PACKAGES)
    python = platform.python_version()
    return f"{name}, {torch.get_num_threads()} thread(s), Python {python}, {versions}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def clock(device: str) -> float:
    """Seconds: of CPU time, which other processes disturb little, or on a card of wall time."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def in_turn(
    steps: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", warm: int = 1
) -> dict[str, list[float]]:
    """Seconds of every contender in every round.

    The contenders take turns, so that what else the machine does meets all of them alike.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(warm + rounds):
        for name, step in steps.items():
            began = clock(device)
            step()
            spent = clock(device) - began
            if number >= warm:
                times[name].append(spent)
    return times


def ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Median over rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def saved_bytes(forward: Callable[[], object], known: Iterable[Tensor]) -> int:
    """What a forward pass keeps for backward, each storage once, `known` tensors excluded."""
    own = {t.untyped_storage()._cdata for t in known}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        # The result is held until the storages are counted: a freed one's address comes again.
        result = forward()
        total = sum(s.nbytes() for s in kept.values())
    del result
    return total


class Peak:
    """Largest resident memory of this process and its descendants together, while inside.

    Read from /proc five times a second; a page that processes share counts once for each of them.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, _resident(os.getpid()))
            if self._done.wait(0.2):
                return


def _resident(process: int) -> int:
    folder = Path(f"/proc/{process}")
    try:
        own = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = [c for t in folder.glob("task/*/children") for c in t.read_text().split()]
    except OSError:
        return 0  # it ended meanwhile
    return own + sum(_resident(int(child)) for child in children)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
