"""Scores of a discipline's tasks apart, their mean (macro) and the mean of all items (micro)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lawcheck.declare.design import Discipline
from lawcheck.scores import ScoreTable


@dataclass(frozen=True, kw_only=True)
class Means:
    """Accuracies in points over all seeds of an arm. tasks: (name, accuracy, scored, unscored).

    macro: mean of the tasks, the discipline's score. micro: mean of all scored items. scored,
    unscored: answers, items times seeds.
    """

    arm: str
    discipline: str
    tasks: tuple[tuple[str, float, int, int], ...]

    @property
    def macro(self) -> float:
        return float(np.mean([accuracy for _, accuracy, _, _ in self.tasks]))

    @property
    def micro(self) -> float:
        right = sum(accuracy * scored for _, accuracy, scored, _ in self.tasks if scored)
        scored = sum(n for _, _, n, _ in self.tasks)
        return right / scored if scored else float("nan")


def task_means(table: ScoreTable, disciplines: Iterable[Discipline], world: str) -> list[Means]:
    """One entry per arm and discipline of the world that has scores, in table order.

    A task without a scored item has accuracy NaN, and so has then the macro mean.
    """
    found = []
    for d in disciplines:
        declared = [t.name for t in d.worlds[world].tasks] if world in d.worlds else []
        for arm in table.arms:
            tasks = [_task(table, arm, name) for name in declared if table.seeds(arm, name)]
            if tasks:
                found.append(Means(arm=arm, discipline=d.name, tasks=tuple(tasks)))
    return found


def means_text(found: Sequence[Means]) -> str:
    """A line per task, then macro and micro mean where a discipline has several tasks."""
    lines = []
    for means in found:
        lines.append(f"{means.discipline}, arm {means.arm}")
        for name, accuracy, scored, unscored in means.tasks:
            left = f", {unscored:,} unscored" if unscored else ""
            lines.append(f"  {name:<34} {accuracy:6.2f}  ({scored:,} answers{left})")
        if len(means.tasks) > 1:
            lines.append(f"  {'macro mean of the tasks':<34} {means.macro:6.2f}")
            lines.append(f"  {'micro mean of the answers':<34} {means.micro:6.2f}")
    return "\n".join(lines)


def _task(table: ScoreTable, arm: str, name: str) -> tuple[str, float, int, int]:
    values = table.cube(arm, name, table.seeds(arm, name))
    scored = int((~np.isnan(values)).sum())
    accuracy = 100 * float(np.nansum(values)) / scored if scored else float("nan")
    return name, accuracy, scored, values.size - scored
