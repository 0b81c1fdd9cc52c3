"""Which arm and seed a run belongs to: said outright, mapped, or read from its names."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.files.reading import read_yaml

RUN_ID = re.compile(r"(?P<arm>[a-z][A-Za-z0-9_.-]*)-s(?P<seed>\d{1,18})-[0-9a-f]{12}\Z")
# `s1` is a seed at the end of a name only: s1-32B is a model, s20260101 a date. `seed` may stand
# anywhere, unless the number goes on like a version (seed-1.6).
NAMED = re.compile(
    r"(?P<arm>.*?[^-_.])[-_.](?:s(?P<short>\d{1,6})\Z|seed[-_=]?(?P<seed>\d{1,18})(?![0-9A-Za-z]|[-.]\d))"
)
SEED = re.compile(r"(?:\A|[-_.])seed[-_=]?(?P<seed>\d{1,18})(?![0-9A-Za-z]|[-.]\d)")
# A model's name on a hub, which may hold such parts for other reasons.
HUB = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?\Z")
IN_HUB = re.compile(r"(?P<arm>.*?[^-_.])[-_.]seed[_=]?(?P<seed>\d{1,18})\Z")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Name = Annotated[str, Field(min_length=1)]


def _fits(name: str, glob: str) -> bool:
    # A name with brackets, written as it is, means itself.
    return name == glob or fnmatchcase(name, glob)


class RunMatch(_Part):
    """match: glob over a run's folder, model name or run_id; the first entry that fits counts.

    seed: a number; a list for one evaluation that stands for several seeds (an untrained model);
    none to read it from the name.
    """

    match: str
    arm: Name
    seed: int | tuple[int, ...] | None = None

    @field_validator("seed", mode="before")
    @classmethod
    def _whole(cls, given: object) -> object:
        for seed in given if isinstance(given, list | tuple) else [given]:
            if isinstance(seed, bool) or (isinstance(seed, int) and not 0 <= seed < 1 << 63):
                raise ValueError(f"{str(seed).lower()} is no seed")
        return given

    def fits(self, labels: Iterable[str]) -> bool:
        return any(_fits(label, self.match) for label in labels)


class ImportMap(_Part):
    """The mapping file.

    tasks: task (glob) -> name in the score table, null to leave it out. metrics: task (glob) ->
    item metric, or `metric,variant`. columns: our column -> the table's. percent: values are in
    percent; without it that is read from the values. differ: settings in which runs may differ,
    since they belong to the arms.
    """

    runs: tuple[RunMatch, ...] = ()
    tasks: dict[str, Name | None] = Field(default_factory=dict)
    metrics: dict[str, Name] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    percent: bool | None = None
    differ: tuple[str, ...] = ()

    def task(self, name: str) -> str | None:
        """The name that the mapping gives a task in the score table, if it names it."""
        return next((to for glob, to in self.tasks.items() if _fits(name, glob)), None)

    def leaves_out(self, task: str) -> bool:
        """Whether the mapping gives the task no place."""
        return next((t is None for g, t in self.tasks.items() if _fits(task, g)), False)

    def metric(self, task: str) -> str:
        """The metric that the mapping asks for, or nothing."""
        return next((m for glob, m in self.metrics.items() if _fits(task, glob)), "")


def read_map(path: str | Path) -> ImportMap:
    """The mapping in a YAML file. Raises InputError for anything else."""
    expected = f"expected {', '.join(ImportMap.model_fields)} as in docs/import.md"
    data = read_yaml(Path(path), expected, f"mapping {path}")
    try:
        return ImportMap.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "file"
        raise InputError(f"mapping {path}: {where}: {first['msg'].lower()}; {expected}") from None


def refuse_unused(
    mapping: ImportMap,
    runs: Sequence[Sequence[str]],
    tasks: Iterable[str],
    placed: Container[str],
    with_tables: bool,
) -> list[str]:
    """Every instruction must have met something. Raises InputError with what there is.

    A mapping may serve several folders: an entry for a task that is not there is only noted where
    every task that is there has its own. runs: the labels of each run. tasks: names of tasks as
    the tools call them. placed: tasks that need no other name.
    """
    taken: set[int] = set()
    for entry in mapping.runs:
        met = {k for k, labels in enumerate(runs) if entry.fits(labels)}
        if not met:
            raise _unused("runs", entry.match, "run", {x for labels in runs for x in labels if x})
        if met <= taken:
            raise InputError(
                f"mapping: runs: {entry.match!r} matches only runs that an earlier entry takes; "
                f"put it first"
            )
        taken |= met
    notes = []
    known = set(tasks)
    for task in sorted(known):
        to = mapping.task(task)
        if to and to in known and to != task and not any(_fits(to, glob) for glob in mapping.tasks):
            raise InputError(
                f"mapping: tasks: {task!r} becomes {to!r}, which is there too, so the two would be "
                f"one task; name {to!r} under 'tasks' as well (null leaves it out), or choose "
                f"another name"
            )
    for part, globs in (("tasks", mapping.tasks), ("metrics", mapping.metrics)):
        left = set(known)
        unmet = []
        for glob in globs:
            met_tasks = {t for t in known if _fits(t, glob)}
            if not met_tasks:
                unmet.append(glob)
            elif not met_tasks & left:
                raise InputError(
                    f"mapping: {part}: {glob!r} matches only tasks that an earlier entry takes; "
                    f"put it first"
                )
            left -= met_tasks
        if unmet and (part == "metrics" or any(t not in placed for t in left)) and left:
            raise _unused(part, unmet[0], "task", known)
        for glob in unmet:
            if any(_like(glob, t) for t in left):
                raise _unused(part, glob, "task", known)
        if unmet:
            notes.append(f"mapping: {part}: {', '.join(unmet)}: no such task here")
    for name, given in (("columns", mapping.columns), ("percent", mapping.percent is not None)):
        if given and not with_tables:
            raise InputError(f"mapping: {name}: no table is read; leave it out")
    return notes


def _like(name: str, other: str) -> bool:
    """Whether a name may be the other one, misspelt."""
    one, two = ("".join(c for c in x.lower() if c.isalnum()) for x in (name, other))
    return one == two or SequenceMatcher(None, one, two).ratio() > 0.85


def _unused(part: str, glob: str, what: str, known: Iterable[str]) -> InputError:
    found = sorted(known)
    shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    return InputError(
        f"mapping: {part}: {glob!r} matches no {what}; found {shown or 'none'}; correct it"
    )


@dataclass(frozen=True)
class Placement:
    arm: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Placer:
    """arm, seeds: what was said outright for everything, if it was."""

    mapping: ImportMap
    arm: str | None = None
    seeds: tuple[int, ...] | None = None

    def place(
        self, labels: Sequence[str], model: str = "", also: Sequence[str] = ()
    ) -> Placement | str:
        """The place of a run known by these names, or why it has none.

        also: names that a mapping may match, but that tell nothing by themselves.
        """
        read = [_read(label) for label in labels] + [_read_model(model)]
        arms = {arm for arm, _ in read if arm is not None}
        seeds = {s for _, found in read for s in found}
        arm, chosen = self.arm, self.seeds
        for entry in self.mapping.runs:
            if entry.fits([*labels, model, *also]):
                arm = arm or entry.arm
                if chosen is None and entry.seed is not None:
                    chosen = (entry.seed,) if isinstance(entry.seed, int) else entry.seed
                break
        if arm is None and len(arms) > 1:
            return f"its names say {' and '.join(sorted(arms))}"
        if chosen is None and len(seeds) > 1:
            return f"its names say seeds {' and '.join(map(str, sorted(seeds)))}"
        arm = arm or next(iter(arms), None)
        if chosen is None and seeds:
            chosen = tuple(seeds)
        lost = ["arm"] * (arm is None) + ["seed"] * (not chosen)
        if arm is None or not chosen:
            return f"no {' or '.join(lost)} in its names"
        return Placement(arm, chosen)

    def entry(self, label: str) -> str:
        """A line of the mapping that would place a run with this label."""
        return f"runs: [{{match: '{label}', arm: {self.arm or 'NAME'}, seed: N}}]"


def _read(label: str) -> tuple[str | None, set[int]]:
    """Arm and seed of the innermost part of a name that holds both, and seeds said elsewhere."""
    parts = PurePosixPath(label).parts
    said = {int(m["seed"]) for part in parts for m in SEED.finditer(part)}
    for part in reversed(parts):
        run_id = RUN_ID.match(part)
        if run_id:
            return _without_part(run_id["arm"]), {int(run_id["seed"])}
        found = NAMED.match(part)
        if found:
            return found["arm"], said | {int(found["short"] or found["seed"])}
    return None, said


def _read_model(name: str) -> tuple[str | None, set[int]]:
    if RUN_ID.match(PurePosixPath(name).name) or not HUB.match(name):
        return _read(name)
    found = IN_HUB.match(PurePosixPath(name).name)
    return (found["arm"], {int(found["seed"])}) if found else (None, set())


def _without_part(label: str) -> str:
    """The arm of a run id: runs of one discipline each carry its name at the end."""
    arm, _, part = label.rpartition(".")
    return arm if label.startswith("discipline_") and part in discovery.disciplines() else label
