"""What the targets of a law are on one score table: disciplines, or the tasks that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lawcheck.declare import discovery
from lawcheck.declare.design import AVERAGE, NO_TASK, Arm, Law
from lawcheck.errors import InputError
from lawcheck.scores import ScoreTable, TaskPlace, task_places

# Tasks of these names stand beside an average, whoever scored them.
COMPANIONS = ("general", "out_of_domain")
# What to do about missing scores that no workflow of lawcheck makes.
OWN_SCORES = "add them to the scores"


@dataclass(frozen=True, kw_only=True)
class Targets:
    """places: of the tasks that count in averages. groups: target -> its tasks, of equal weight.

    note: what the average is of, where the law does not say it.
    """

    places: Mapping[str, TaskPlace]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    note: str = ""


def targets_of(
    law: Law, scores: ScoreTable, arms: Iterable[Arm], places: Mapping[str, TaskPlace] | None
) -> Targets:
    """arms: those that the law compares. places: of the disciplines; None where nobody says.

    Tasks that the law names come first. A law of a study keeps its disciplines. Any other law
    speaks of the table's own tasks, whatever lawcheck calls by these names; disciplines are targets
    there only where no task has the name.
    """
    if law.averaged:
        named = {t: TaskPlace(e, "average") for e, tasks in law.averaged.items() for t in tasks}
        return Targets(places=named, groups=law.task_groups)
    if places is not None:
        return Targets(places=places)
    study = discovery.study_of(law.name)
    if study is not None:
        return Targets(places=task_places(discovery.of_study(study)))
    declared = task_places(discovery.disciplines().values())
    tasks = sorted(scores.item_metric)
    roles = {t: t if t in COMPANIONS else "average" for t in tasks}
    names = [a.name for a in arms]
    averaged = [
        t for t in tasks if roles[t] == "average" and any(scores.seeds(a, t) for a in names)
    ]
    whole = any(h.estimand.averages for h in law.hypotheses)
    if AVERAGE in averaged and whole:
        raise InputError(f"{law.name}: {NO_TASK}")
    groups: dict[str, tuple[str, ...]] = {}
    for t in tasks:
        for target in (declared[t].discipline, declared[t].role) if t in declared else ():
            if target not in (*tasks, AVERAGE):
                groups[target] = tuple(dict.fromkeys((*groups.get(target, ()), t)))
    return Targets(
        places={t: TaskPlace(t, roles[t]) for t in {*averaged, *COMPANIONS} & set(tasks)},
        groups=groups,
        note=_note(averaged) if whole else "",
    )


def _note(averaged: list[str]) -> str:
    if len(averaged) < 2:
        return f"the average is of one task: {', '.join(averaged)}" if averaged else ""
    return f"average of the {len(averaged)} tasks scored, of equal weight: {', '.join(averaged)}"
