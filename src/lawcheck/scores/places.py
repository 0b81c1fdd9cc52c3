"""Where each task belongs among the disciplines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lawcheck.declare.design import Discipline
from lawcheck.errors import InputError


@dataclass(frozen=True)
class TaskPlace:
    """Where a task belongs. role: `average` (a discipline of the mean), or a companion's role."""

    discipline: str
    role: str


def task_places(
    disciplines: Iterable[Discipline], world: str | None = None
) -> dict[str, TaskPlace]:
    """Place of every declared task, of one kind of scale or of all; and of the disciplines' names.

    A task named like a discipline is that discipline; one that does not exist in the world has no
    place. Raises InputError where two disciplines declare the same task.
    """
    places: dict[str, TaskPlace] = {}
    for d in disciplines:
        place = TaskPlace(d.name, "average" if d.role == "discipline" else d.role)
        worlds = [w for name, w in d.worlds.items() if world in (None, name)]
        if world is not None and not worlds:
            continue
        for name in [d.name, *(t.name for w in worlds for t in w.tasks)]:
            if places.setdefault(name, place) != place:
                raise InputError(
                    f"task {name!r}: declared by disciplines {places[name].discipline!r} and "
                    f"{d.name!r}; rename one"
                )
    return places
