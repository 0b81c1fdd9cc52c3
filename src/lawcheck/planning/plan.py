"""Which runs a law needs, which of them depend on which, and how they share jobs."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from lawcheck.corpus.recipe import planned_mixture
from lawcheck.declare import discovery, versions
from lawcheck.declare.design import Arm, Discipline, Law, Run, digest, plain
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError, nearest
from lawcheck.planning.shipped import shipped_hash
from lawcheck.studies.discipline_laws.arms import experts_of

DATA_VARIABLE = "LAWCHECK_DATA"


def science(scale: Scale) -> list[Discipline]:
    """The scale's scientific disciplines, in table order."""
    found = discovery.of_role("discipline", scale.world)
    if not found:
        raise InputError(
            f"scale {scale.name!r}: no discipline has a source for world {scale.world!r}; "
            f"add one (docs/adding.md) or choose another scale"
        )
    return found


def data_folder(scale: Scale) -> Path | None:
    """The folder of real data, for worlds that read one; None for generated worlds."""
    if not any(hasattr(source_module(d, scale), "source_files") for d in science(scale)):
        return None
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        raise InputError(
            f"scale {scale.name!r}: reads real data, but {DATA_VARIABLE} is not set; "
            f"set it to the folder that holds gsm8k/, medmcqa/ and so on"
        )
    if not Path(named).is_dir():
        raise InputError(f"{DATA_VARIABLE}: {named!r} is not a folder; name the data folder")
    return Path(os.path.realpath(named))


def pinned_sources(scale: Scale) -> dict[str, dict[str, str]] | None:
    """Discipline -> data set -> revision or content, for worlds too large to hash at every plan.

    None for worlds whose data are generated, or small enough to be hashed file by file.
    """
    found = {}
    for d in discovery.disciplines().values():
        if scale.world in d.worlds:
            module = source_module(d, scale)
            if not hasattr(module, "pinned_sources"):
                return None
            found[d.name] = module.pinned_sources()
    return found or None


def source_module(discipline: Discipline, scale: Scale) -> Any:
    return import_module(discipline.worlds[scale.world].source)


@dataclass(frozen=True)
class Planner:
    """Resolves arms to runs at one scale.

    Equal ids mean interchangeable results, so that laws which share an arm share its runs.
    """

    scale: Scale
    seeds: tuple[int, ...]

    @cached_property
    def data_digest(self) -> str | None:
        """Digest of the real files that the world reads, or of what pins them; None for
        generated worlds.
        """
        pinned = pinned_sources(self.scale)
        if pinned is not None:
            return digest(pinned)
        folder = data_folder(self.scale)
        if folder is None:
            return None
        sums = {}
        for d in discovery.disciplines().values():
            if self.scale.world in d.worlds:
                for path in source_module(d, self.scale).source_files(folder):
                    content = _read_source(path)
                    sums[f"{d.name}/{path.name}"] = hashlib.sha256(content).hexdigest()
        return digest(sums)

    def runs(self, arm: Arm) -> tuple[Run, ...]:
        return tuple(run for seed in self.seeds for run in self.runs_of(arm, seed))

    def runs_of(self, arm: Arm, seed: int) -> tuple[Run, ...]:
        """The runs of one arm and seed: one, or one per discipline."""
        if (arm, seed) in self._resolved:
            return self._resolved[arm, seed]
        parts = [d.name for d in science(self.scale)] if arm.each_alone else [None]
        self._resolved[arm, seed] = tuple(
            Run(
                arm=arm,
                seed=seed,
                scale=self.scale.name,
                part=part,
                digest=digest(self._identity(arm, seed, part)),
            )
            for part in parts
        )
        return self._resolved[arm, seed]

    @cached_property
    def _resolved(self) -> dict[tuple[Arm, int], tuple[Run, ...]]:
        """Runs that were asked for: laws share arms, and compositions share experts."""
        return {}

    def _identity(self, arm: Arm, seed: int, part: str | None) -> dict[str, Any]:
        method = discovery.method(arm.method)
        world = [d for d in discovery.disciplines().values() if self.scale.world in d.worlds]
        rule = discovery.mixing_rule(arm.mixture.update) if arm.mixture is not None else None
        objective = discovery.objective(arm.recipe.objective if arm.recipe else "response")
        learnt = {} if objective.name == "response" else {"objective": objective.version}
        return {
            "arm": plain(arm),
            "design": method.validate(arm.choices),
            "seed": seed,
            "part": part,
            "scale": self.scale.identity(arm.method, arm.base, objective.name),
            "data": self.data_digest,
            "base": shipped_hash(self.scale, arm.base, seed),
            "versions": {
                "trainer": versions.TRAINER,
                "evaluator": versions.EVALUATOR,
                "recipes": versions.RECIPES,
                **({"mixing": rule.version} if rule else {}),
                "method": method.version,
                **learnt,
                "disciplines": {d.name: d.version for d in world},
            },
            "experts": [r.digest for r in self.experts(arm, seed)],
        }

    def experts(self, arm: Arm, seed: int) -> tuple[Run, ...]:
        """The frozen runs that a composition is built over; empty for other methods.

        An expert whose discipline the upsampling leaves alone is the one without upsampling.
        """
        if not discovery.method(arm.method).needs_experts:
            return ()
        assert arm.recipe is not None
        up = arm.recipe.upsampling
        plain_runs = self.runs_of(experts_of(arm, upsampled=False), seed)
        if up is None:
            return plain_runs
        retrained = self.runs_of(experts_of(arm), seed)
        pairs = zip(plain_runs, retrained, strict=True)
        return tuple(new if old.part in up.disciplines else old for old, new in pairs)

    def law_runs(self, law: Law) -> dict[str, Run]:
        """Every run that a law's scores come from, by id."""
        return {run.id: run for a in law.arms for run in self.runs(a)}

    def with_experts(self, runs: Iterable[Run]) -> dict[str, Run]:
        """The runs and those they depend on, by id."""
        found: dict[str, Run] = {}
        for run in runs:
            for needed in (*self.experts(run.arm, run.seed), run):
                found[needed.id] = needed
        return found

    def row_count(self, run: Run) -> int:
        """Planned training rows of a run (0 for the base); orders jobs by their length."""
        if run.arm.recipe is None:
            return 0
        corpus = self.scale.corpus
        planned = planned_mixture(
            run.arm.recipe, science(self.scale), corpus.size, corpus.general_pool
        )
        return round(planned[run.part] if run.part else sum(planned.values()))


@dataclass(frozen=True)
class Batch:
    """Runs that one job carries. needs: ids of the batches whose adapters it loads."""

    id: str
    seed: int
    runs: tuple[Run, ...]
    rows: int
    needs: tuple[str, ...]


def realisable(scale: Scale, laws: Mapping[str, Law]) -> dict[str, Law]:
    """The laws whose base models the scale declares and whose methods there are."""
    return {name: law for name, law in laws.items() if not unrealisable(scale, law)}


def unrealisable(scale: Scale, law: Law) -> str:
    """Why a scale cannot run a law; empty where it can.

    A law on somebody's own scores names methods that lawcheck does not have; it is judged, and
    nothing of it is planned.
    """
    for arm in law.arms:
        if arm.base not in scale.bases:
            return f"scale {scale.name!r} declares no base model {arm.base!r}"
    lost = sorted({a.method for a in law.arms} - discovery.methods().keys())
    return f"no method is called {lost[0]!r}, it can only be judged on scores" if lost else ""


def batches(planner: Planner, laws: Mapping[str, Law]) -> dict[str, Batch]:
    """Partition the runs of all laws into jobs.

    Runs share a job only if exactly the same laws want them: then every law needs a batch
    wholly or not at all, whichever targets are asked for together. Runs that load other runs'
    adapters never share a job with those, so that batches cannot depend on one another in a
    circle. The largest runs come first, which evens out the jobs.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    found: dict[str, Run] = {}
    for name, law in laws.items():
        for run_id, run in planner.with_experts(planner.law_runs(law).values()).items():
            found[run_id] = run
            wanted[run_id].add(name)
    classes: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run_id, run in found.items():
        level = 1 if planner.experts(run.arm, run.seed) else 0
        classes[(run.seed, level, tuple(sorted(wanted[run_id])))].append(run)
    result: dict[str, Batch] = {}
    home: dict[str, str] = {}
    for key in sorted(classes, key=lambda k: (k[1], k[0], k[2])):
        for members in _even(classes[key], planner):
            needs = {home[e.id] for r in members for e in planner.experts(r.arm, r.seed)}
            single = len(members) == 1
            name = members[0].id if single else f"s{key[0]}-{digest([r.id for r in members])}"
            result[name] = Batch(
                id=name,
                seed=key[0],
                runs=tuple(members),
                rows=sum(planner.row_count(r) for r in members),
                needs=tuple(sorted(needs)),
            )
            home.update({r.id: name for r in members})
    return result


def _even(runs: Sequence[Run], planner: Planner) -> list[list[Run]]:
    """Split runs into jobs of at most runs_per_job, balanced by training rows."""
    ordered = sorted(runs, key=lambda r: (-planner.row_count(r), r.id))
    count = -(-len(ordered) // planner.scale.hardware.runs_per_job)
    jobs: list[list[Run]] = [[] for _ in range(count)]
    for run in ordered:
        lightest = min(jobs, key=lambda job: sum(planner.row_count(r) for r in job))
        lightest.append(run)
    return jobs


def find_runs(planner: Planner, laws: Mapping[str, Law], ids: Sequence[str]) -> list[Run]:
    """The runs with these ids. Raises InputError for an id that no law declares."""
    known: dict[str, Run] = {}
    for law in realisable(planner.scale, laws).values():
        known |= planner.with_experts(planner.law_runs(law).values())
    for run_id in ids:
        if run_id not in known:
            raise InputError(
                f"run {run_id!r}: no law declares it at scale {planner.scale.name!r} with seeds "
                f"{', '.join(map(str, planner.seeds))}; {nearest(run_id, known)}"
            )
    return [known[run_id] for run_id in ids]


def _read_source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{DATA_VARIABLE}: cannot read {path.parent.name}/{path.name} ({error.strerror}); "
            f"complete the data folder"
        ) from None
