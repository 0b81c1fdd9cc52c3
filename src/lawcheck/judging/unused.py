"""Which rows of a score table a verdict did not read, so that none is dropped without a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Unused
from lawcheck.declare.metrics import LIKELIHOODS
from lawcheck.scores import ScoreTable

# Task, metric, arm, seed.
Unit = tuple[str, str, str, int]
Kind = Literal["arms", "tasks", "metrics", "scores", "seeds"]


class Reading:
    """A score table that keeps in mind which scores were asked for."""

    def __init__(self, scores: ScoreTable) -> None:
        self._scores = scores
        self.read: set[Unit] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scores, name)

    def cube(
        self, arm: str, task: str, seeds: Sequence[int], metric: str | None = None
    ) -> NDArray[np.float64]:
        of = self._scores.item_metric[task] if metric is None else metric
        self.read |= {(task, of, arm, s) for s in seeds}
        return self._scores.cube(arm, task, seeds, metric)


def unused(reading: Reading) -> tuple[Unused, ...]:
    """Rows that were not read, each under the widest name that covers it.

    Rows that only mark a diverged run or a fault are no scores, and are reported elsewhere.
    """
    read = reading.read
    arms = {a for _, _, a, _ in read}
    measures = {(t, m) for t, m, _, _ in read}
    metrics = {m for _, m in measures}
    cells = {(t, m, a) for t, m, a, _ in read}
    # Of these a part reads how likely the answers are, if not their score.
    likely = {t for t, m in measures if m in LIKELIHOODS}
    found: dict[str, dict[str, int]] = {}
    for unit, n in reading.rows().items():
        task, metric, arm, seed = unit
        if unit in read:
            continue
        if arm not in arms:
            kind, name = "arms", arm
        elif (task, metric) not in measures:
            own = metric == reading.item_metric.get(task)
            # Likelihoods of some tasks may be read and those of others not.
            of = f" of {task}" if metric in LIKELIHOODS & metrics else ""
            whole = own and task not in likely
            kind, name = ("tasks", task) if whole else ("metrics", metric + of)
        elif (task, metric, arm) not in cells:
            kind, name = "scores", f"{arm} on {task}"
        else:
            kind, name = "seeds", f"seed {seed} of {arm}"
        names = found.setdefault(kind, {})
        names[name] = names.get(name, 0) + n
    order: tuple[Kind, ...] = ("arms", "tasks", "metrics", "scores", "seeds")
    return tuple(
        Unused(kind=kind, names=tuple(sorted(found[kind])), rows=sum(found[kind].values()))
        for kind in order
        if kind in found
    )
