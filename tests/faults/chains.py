"""Death after death at chosen writes, until a study is complete."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crash_points import SIDES, Spec
from nursery import Nursery

# A training makes hundreds of changes to files, every other stage about ten.
REACH = {"train": 60}


@dataclass(frozen=True)
class Death:
    """One process that was to die at its `at`-th change to files."""

    verb: str
    at: int
    side: str
    died: bool


def chain(
    lawcheck: Nursery, folder: Path, stages: Iterable[Sequence[str]], rng: random.Random
) -> list[Death]:
    """Run the stages; every process is killed at a drawn change to files, until none is left.

    Raises AssertionError with the output of a process that ends in any other way.
    """
    found = []
    for words in stages:
        died = True
        while died:
            at, side = rng.randint(1, REACH.get(words[0], 12)), rng.choice(SIDES)
            ended = lawcheck.run(folder, words, Spec(at=at, side=side), checkpoint_seconds=0)
            died = ended.status == -signal.SIGKILL
            assert died or ended.status == 0, f"{words[0]} {at} {side}: {ended.said[-2000:]}"
            found.append(Death(words[0], at, side, died))
    return found
