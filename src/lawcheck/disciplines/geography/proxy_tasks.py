"""Geography of the proxy world as four tasks, one skill each."""

from __future__ import annotations

from random import Random
from typing import Any

from lawcheck.corpus import skills
from lawcheck.disciplines.geography import proxy

SKILLS = ("country", "direction", "river", "turn")


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split; as many of each task."""
    tasks = {skill: f"geography_{skill}" for skill in SKILLS}
    return skills.samples("geography", proxy.families(), tasks, split, n, proxy.OPEN_SHARE)


def drawn(task: str, rng: Random) -> str:
    """One input of a task, of any split."""
    return skills.drawn(proxy.families(), task.removeprefix("geography_"), rng)
