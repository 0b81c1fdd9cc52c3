"""Which arm and seed a run belongs to: said outright, mapped, or read from its names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.files.reading import read_yaml

RUN_ID = re.compile(r"(?P<arm>[a-z][a-z0-9_.]*)-s(?P<seed>\d+)-[0-9a-f]{12}\Z")
NAMED = re.compile(r"(?P<arm>.+?)[-_.](?:s|seed[-_=]?)(?P<seed>\d+)(?![0-9A-Za-z])")
SEED = re.compile(r"(?:\A|[-_./])(?:s|seed[-_=]?)(?P<seed>\d+)(?![0-9A-Za-z])")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunMatch(_Part):
    """match: glob over a run's folder, model name or run_id; the first entry that fits counts.

    seed: a number; a list for one evaluation that stands for several seeds (an untrained model);
    none to read it from the name.
    """

    match: str
    arm: str
    seed: int | tuple[int, ...] | None = None


class ImportMap(_Part):
    """The mapping file.

    tasks: task (glob) -> name in the score table. metrics: lm-eval task -> item metric, or
    `metric,filter`. columns: our column -> the table's. percent: values are in percent.
    """

    runs: tuple[RunMatch, ...] = ()
    tasks: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    percent: bool = False

    def task(self, name: str) -> str:
        """The name a task has in the score table."""
        return next((to for glob, to in self.tasks.items() if fnmatchcase(name, glob)), name)


def read_map(path: str | Path) -> ImportMap:
    """The mapping in a YAML file. Raises InputError for anything else."""
    expected = f"expected {', '.join(ImportMap.model_fields)} as in docs/your-own-results.md"
    data = read_yaml(Path(path), expected, f"mapping {path}")
    try:
        return ImportMap.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "file"
        raise InputError(f"mapping {path}: {where}: {first['msg'].lower()}; {expected}") from None


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

    def place(self, labels: Sequence[str]) -> Placement | str:
        """The place of a run known by these names, or why it has none."""
        read = {p for p in map(_read, labels) if p is not None}
        arms, seeds = {a for a, _ in read}, {s for _, s in read} | _seeds(labels)
        arm, chosen = self.arm, self.seeds
        for entry in self.mapping.runs:
            if any(fnmatchcase(label, entry.match) for label in labels):
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


def _read(label: str) -> tuple[str, int] | None:
    """Arm and seed of the innermost part of a name that holds both."""
    for part in reversed(PurePosixPath(label).parts):
        run_id = RUN_ID.match(part)
        if run_id:
            return _without_part(run_id["arm"]), int(run_id["seed"])
        named = NAMED.match(part)
        if named:
            return named["arm"], int(named["seed"])
    return None


def _without_part(label: str) -> str:
    """The arm of a run id: runs of one discipline each carry its name at the end."""
    arm, _, part = label.rpartition(".")
    return arm if label.startswith("discipline_") and part in discovery.disciplines() else label


def _seeds(labels: Sequence[str]) -> set[int]:
    """Seeds in names that hold no arm, such as a folder `seed_3`."""
    alone = [label for label in labels if _read(label) is None]
    found = [SEED.search(label) for label in alone]
    return {int(m["seed"]) for m in found if m}
