"""Arms of the study: an adapter a task, selectors that name a task, what both make together.

Sizes of selections are those in print; a scale says how many rows they are there.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, Literal

from lawcheck.declare.design import (
    Arm,
    Check,
    Hypothesis,
    Recipe,
    Scalar,
    Selection,
    arm,
    reaches,
)

# The six tasks of the first table, two a domain.
SIX = (
    "medicine_diagnose",
    "medicine_drug",
    "biology_transcribe",
    "biology_codon",
    "geography_country",
    "geography_direction",
)
# The six that come with the second, one of which has the inputs of a task that is there.
NEW = (
    "biology_complement",
    "biology_translate",
    "medicine_test",
    "medicine_avoid",
    "geography_river",
    "geography_turn",
)
TWELVE = (*SIX, *NEW)
AMBIGUOUS = ("biology_transcribe", "biology_complement")
TEN = tuple(t for t in TWELVE if t not in AMBIGUOUS)
SIZES = (100, 500, 1000)
SMALLEST, MIDDLE, LARGEST = SIZES
Distance = Literal["L2", "COS", "IP"]
Embedding = Literal["inputs", "tfidf_svd"]
DISTANCES: tuple[Distance, ...] = ("L2", "COS", "IP")
EMBEDDINGS: tuple[Embedding, ...] = ("inputs", "tfidf_svd")
INITS = ("lora", "rslora", "dora", "pissa")
RANKS, ALPHAS = (4, 8), (16, 32)
# The method's own design, which an arm does not repeat.
PLAIN = {"init": "lora", "rank": 8, "alpha": 16}
RATIOS = (0.0, 0.1, 0.3, 0.5)
# The untuned base names no task, so that a selector is compared with guessing.
CHANCE = {SIX: 100 / len(SIX), TWELVE: 100 / len(TWELVE), TEN: 100 / len(TEN)}

BASE = Arm(method="base")

primary = functools.partial(Hypothesis, role="primary", sesoi=1.0)
secondary = functools.partial(Hypothesis, role="secondary", sesoi=1.0)


def selector(
    tasks: tuple[str, ...] = TWELVE,
    k: int = LARGEST,
    distance: Distance = "L2",
    embedding: Embedding = "inputs",
    base: str = "default",
    parent: Arm | None = None,
    design: tuple[tuple[str, Scalar], ...] = (),
    **more: Any,
) -> Arm:
    """A selector of these tasks. more: other fields of its selection."""
    selection = Selection(tasks=tasks, k=k, distance=distance, embedding=embedding, **more)
    parents = () if parent is None else (parent,)
    return Arm(
        method="selector",
        design=design,
        recipe=Recipe(selection=selection),
        base=base,
        parents=parents,
    )


def grid(tasks: tuple[str, ...], k: int, **more: Any) -> tuple[Arm, ...]:
    """Selectors of one size by every embedding and distance."""
    return tuple(
        selector(tasks, k, distance, embedding, **more)
        for embedding in EMBEDDINGS
        for distance in DISTANCES
    )


def as_many_steps(tasks: tuple[str, ...], k: int) -> tuple[Arm, ...]:
    """As `grid`, with the optimizer steps of the largest size: its rows are repeated."""
    return grid(tasks, k) if k == LARGEST else grid(tasks, k, steps_of=LARGEST)


def adapter(task: str) -> Arm:
    """LoRA on one task, all its rows."""
    return arm("lora", Recipe(selection=Selection(tasks=(task,))))


ADAPTERS = {task: adapter(task) for task in TWELVE}
# The best of the paper's first table, selector 14, and its like for twelve tasks.
BEST_SIX, BEST_TWELVE = selector(SIX), selector(TWELVE)


def of_adapters(method: str, tasks: Iterable[str], *above: Arm) -> Arm:
    """What is made of the tasks' adapters, and of a selector where the method needs one."""
    return arm(method, parents=(*above, *(ADAPTERS[t] for t in tasks)))


ROUTED, ORACLE, SOUP, STATES = (
    of_adapters("routed", SIX, BEST_SIX),
    of_adapters("oracle", SIX),
    of_adapters("soup", SIX),
    of_adapters("state_mean", SIX),
)
JOINT = Recipe(selection=Selection(tasks=SIX))
# MFTCoder's loss, in which every task of an optimizer batch weighs the same.
MFT = arm("lora", dataclasses.replace(JOINT, objective="task_balanced"))
MOLA, MTL = (arm(method, JOINT) for method in ("mola", "mtl_lora"))
RANDOM = selector(TWELVE, by="random")
LOOKUP = arm("lookup", BEST_SIX.recipe)

# Table 3: cosine, 500 samples, as in Table 4.
OLD_SIX, OLD_TWELVE = (selector(tasks, MIDDLE, "COS") for tasks in (SIX, TWELVE))


def added(ratio: float) -> Arm:
    """The six-task selector trained further on the six new tasks and a share of the old ones."""
    return selector(TWELVE, MIDDLE, "COS", parent=OLD_SIX, whole=NEW, retained=ratio)


def balanced(ratio: float) -> Arm:
    """The twelve-task selector trained further on the ambiguous tasks and a share of others."""
    return selector(TWELVE, MIDDLE, "COS", parent=OLD_TWELVE, whole=AMBIGUOUS, retained=ratio)


def deleted(ratio: float) -> Arm:
    """The twelve-task selector trained further on a share of the tasks that are not ambiguous."""
    return selector(TEN, MIDDLE, "COS", parent=OLD_TWELVE, retained=ratio)


def tuned(init: str, rank: int, alpha: int) -> Arm:
    """A cell of Figure 4: six tasks, the middle size."""
    chosen: dict[str, Scalar] = {"init": init, "rank": rank, "alpha": alpha}
    design = () if chosen == PLAIN else tuple(chosen.items())
    return selector(SIX, MIDDLE, "COS", design=design)


CELLS = {
    (init, rank, alpha): tuned(init, rank, alpha)
    for init in INITS
    for rank in RANKS
    for alpha in ALPHAS
}


def answers(arms: Iterable[Arm], tasks: tuple[str, ...]) -> tuple[Check, ...]:
    """Assays: every selector names its tasks more often than guessing would."""
    return reaches(arms, CHANCE[tasks], tasks)
