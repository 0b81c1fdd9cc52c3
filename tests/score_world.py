"""Synthetic score tables with a known truth, for the tests of scores and verdicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from lawcheck.declare.design import Arm, Law
from lawcheck.scores import ScoreTable, TaskPlace, check
from lawcheck.scores.files import SCHEMA

SCIENCE = ("biology", "chemistry", "geography", "math", "medicine")
PLACES = {d: TaskPlace(d, "average") for d in SCIENCE} | {
    "general": TaskPlace("general", "general"),
    "out_of_domain": TaskPlace("out_of_domain", "out_of_domain"),
}


def columns(
    level: Mapping[Arm, float],
    n_seeds: int = 5,
    n_items: int = 300,
    tasks: tuple[str, ...] = tuple(PLACES),
    seed_sd: float = 0.005,
    sharpness: Mapping[Arm, float] | None = None,
    rng_seed: int = 0,
) -> dict[str, list]:
    """Rows of every arm at its accuracy; routers of `sharpness` (0 uniform, 1 specialised)."""
    rng = np.random.default_rng(rng_seed)
    out: dict[str, list] = {c: [] for c in SCHEMA.names}
    difficulty = {t: rng.normal(0, 0.1, n_items) for t in tasks}

    def add(arm: Arm, seed: int, task: str, items: list[str], metric: str, values) -> None:
        n = len(items)
        out["run_id"] += [f"{arm.name}-s{seed}"] * n
        out["arm"] += [arm.name] * n
        out["seed"] += [seed] * n
        out["task"] += [task] * n
        out["item_id"] += items
        out["cluster"] += [""] * n
        out["metric"] += [metric] * n
        out["value"] += [float(v) for v in values]

    for arm, accuracy in level.items():
        for seed in range(n_seeds):
            shift = rng.normal(0, seed_sd)
            for task in tasks:
                p = np.clip(accuracy + shift + difficulty[task], 0.01, 0.99)
                right = rng.random(n_items) < p
                add(arm, seed, task, [f"q{k}" for k in range(n_items)], "acc", right)
                if sharpness and arm in sharpness and task in SCIENCE:
                    k = SCIENCE.index(task)
                    row = sharpness[arm] * np.eye(5)[(k + seed) % 5] + (1 - sharpness[arm]) / 5
                    row = row + rng.uniform(0, 0.02, 5)
                    names = [f"expert_{e}" for e in range(5)]
                    add(arm, seed, task, names, "routing_probability", row / row.sum())
    return out


def table(rows: Mapping[str, list]) -> ScoreTable:
    typed = pa.table({c: pa.array(rows[c]).cast(SCHEMA.field(c).type) for c in SCHEMA.names})
    return check(typed, "scores")


def levels(law: Law, default: float = 0.6, base: float = 0.4) -> dict[Arm, float]:
    """Every arm of the law at one accuracy, the base below."""
    return {a: base if a == law.base else default for a in law.arms}
