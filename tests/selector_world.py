"""Synthetic scores of selectors and of what they route to, of the shape that `collect` writes."""

from __future__ import annotations

import numpy as np

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law
from lawcheck.scores import CHOSEN, ROW_KEPT, ROW_X, ROW_Y, ROWS_SELECTED

WORLD = "proxy_tasks"
SEEDS, ITEMS = 3, 40
TASKS = tuple(
    t.name
    for d in discovery.disciplines().values()
    if WORLD in d.worlds
    for t in d.worlds[WORLD].tasks
)
# Rows of a task that are kept of a hundred, by distance.
KEPT = {"L2": 1.0, "COS": 0.9, "IP": 0.3}


def disciplines():
    return tuple(d for d in discovery.disciplines().values() if WORLD in d.worlds)


def quality(arm: Arm, task: str) -> float:
    """A plausible share of right answers; the tests read scores, never this."""
    s = arm.selection
    if s is None or arm.method not in ("selector", "lookup"):
        return {"base": 0.3, "soup": 0.6, "mola": 0.65}.get(arm.method, 0.85)
    if task not in s.tasks:
        return 0.0
    doubled = task in ("biology_transcribe", "biology_complement") and len(s.tasks) == 12
    found = 0.5 if doubled else 0.95
    found -= {100: 0.1, 500: 0.02}.get(s.k or 0, 0.0)
    return found - 0.1 * (arm.choices.get("init") == "pissa")


def rows(law: Law, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    found = []
    for arm in law.arms:
        for s in range(SEEDS):
            common = {"arm": arm.name, "seed": s, "run_id": f"{arm.name}-{s}", "cluster": ""}
            for task in TASKS:
                right = rng.random(ITEMS) < quality(arm, task)
                found += [
                    common | {"task": task, "item_id": f"i{k}", "metric": "acc", "value": float(v)}
                    for k, v in enumerate(right)
                ]
                if arm.selection is None or task not in arm.selection.tasks:
                    continue
                place = arm.selection.tasks.index(task)
                named = np.where(right, place, np.where(np.arange(ITEMS) % 2, -1, place - 1))
                found += [
                    common | {"task": task, "item_id": f"i{k}", "metric": CHOSEN, "value": float(v)}
                    for k, v in enumerate(named)
                ]
            chosen = arm.selection
            if chosen is None or chosen.k is None:
                continue
            each = chosen.k / 100 * 5 * KEPT[chosen.distance]
            counts = {t: round(each * chosen.share(t)) + s for t in chosen.tasks}
            for task, count in (counts | {"all": sum(counts.values())}).items():
                place = {"task": task, "item_id": "run", "metric": ROWS_SELECTED}
                found.append(common | place | {"value": float(count)})
            n = counts[chosen.tasks[0]]
            places = np.random.default_rng(7 + s).normal(size=(120, 2))
            for k, (x, y) in enumerate(places):
                row = common | {"task": chosen.tasks[0], "item_id": f"r{k}"}
                for metric, value in ((ROW_X, x), (ROW_Y, y), (ROW_KEPT, k < n)):
                    found.append(row | {"metric": metric, "value": float(value)})
    return found
