"""The accuracy that no selector of generated tasks can pass, counted from their generator."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from itertools import combinations
from random import Random
from types import ModuleType

from lawcheck.declare import discovery

DRAWS = 1000


@dataclass(frozen=True)
class Ceiling:
    """value: largest expected share of right answers, tasks of equal weight. pairs: tasks that have
    the same inputs, in the order of the tasks."""

    value: float
    pairs: tuple[tuple[str, str], ...]


@functools.cache
def ceiling(world: str, tasks: tuple[str, ...]) -> Ceiling | None:
    """None where the tasks are not generated.

    Inputs of every task are drawn with the same random numbers. Where two tasks then agree on a
    share of the draws, that share of either law is common to both, and a selector is right on half
    of it; elsewhere no two tasks drew one input, which is what the value assumes. Splits do not
    enter: which questions are held out is decided by a hash that no input shows.
    """
    inputs = {}
    for task in tasks:
        module = _generator(world, task)
        if module is None:
            return None
        inputs[task] = [module.drawn(task, Random(f"ceiling {k}")) for k in range(DRAWS)]
    shared = {
        (a, b): sum(x == y for x, y in zip(inputs[a], inputs[b], strict=True)) / DRAWS
        for a, b in combinations(tasks, 2)
    }
    # A task in one pair at most: three tasks of the same inputs would lose more.
    lost, pairs, used = 0.0, [], set[str]()
    for pair, share in sorted(shared.items(), key=lambda found: -found[1]):
        if share > 0 and not used.intersection(pair):
            lost += share
            used.update(pair)
            pairs.append(pair)
    return Ceiling(1 - lost / len(tasks), tuple(pairs))


def _generator(world: str, task: str) -> ModuleType | None:
    """The module that a task's rows come from, where it can draw one input."""
    for d in discovery.disciplines().values():
        found = d.worlds.get(world)
        if found is not None and any(t.name == task for t in found.tasks):
            module = importlib.import_module(found.source)
            return module if hasattr(module, "drawn") else None
    return None
