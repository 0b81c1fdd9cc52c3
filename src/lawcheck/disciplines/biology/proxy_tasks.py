"""Biology of the proxy world as four tasks, one skill each.

Transcription and complement are asked of bare DNA: no input tells them apart.
"""

from __future__ import annotations

from random import Random
from typing import Any

from lawcheck.corpus import skills
from lawcheck.disciplines.biology import proxy

# What is asked of them stands in the instruction.
BARE = dict.fromkeys(("transcribe", "complement"), proxy.DNA)
SKILLS = ("codon", "translate", "transcribe", "complement")


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split; as many of each task."""
    tasks = {skill: f"biology_{skill}" for skill in SKILLS}
    return skills.samples("biology", proxy.families(), tasks, split, n, proxy.OPEN_SHARE, BARE)


def drawn(task: str, rng: Random) -> str:
    """One input of a task, of any split."""
    return skills.drawn(proxy.families(), task.removeprefix("biology_"), rng, BARE)
