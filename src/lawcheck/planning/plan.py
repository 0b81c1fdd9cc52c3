"""Which runs a law needs, which of them depend on which, and how they share jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from lawcheck.corpus.moving import HELD_OUT
from lawcheck.corpus.recipe import planned_mixture
from lawcheck.declare import discovery, versions
from lawcheck.declare.design import Arm, Law, Run, plain
from lawcheck.declare.lineage import check_parents
from lawcheck.declare.method import Fits
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import (
    data_digest,
    realisable,
    require_known,
    scale_laws,
    science,
)
from lawcheck.errors import InputError, nearest
from lawcheck.files.hashing import digest
from lawcheck.planning.controls import controls_of
from lawcheck.planning.shipped import shipped_hash


class Source(NamedTuple):
    """Something that weights or scores are made from. name: of the base, or the run's id.

    knowledge: shares of domains detected in a base. reference: losses of a reference base.
    """

    kind: Literal["corpus", "base", "weights", "knowledge", "reference"]
    name: str = ""
    seed: int = 0


def fits(arm: Arm) -> bool:
    """Whether what is made of an arm's parents has something set by the tuning split."""
    module = discovery.method_module(arm.method) if arm.parents else None
    return isinstance(module, Fits)


@dataclass(frozen=True)
class Planner:
    """Resolves arms to runs at one scale.

    Equal ids mean interchangeable results, so that laws which share an arm share its runs.
    """

    scale: Scale
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        require_known(self.scale)

    @cached_property
    def data_digest(self) -> str | None:
        """As of lawcheck.declare.worlds, read once."""
        return data_digest(self.scale)

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
        """Runs that were asked for: laws share arms, and arms share parents."""
        return {}

    @cached_property
    def _parents(self) -> dict[tuple[Arm, int, str | None], tuple[Run, ...]]:
        return {}

    def _identity(self, arm: Arm, seed: int, part: str | None) -> dict[str, Any]:
        # Their number and versions enter every id.
        discovery.require_whole("disciplines")
        method = discovery.method(arm.method)
        parents = [r.digest for r in self.parents(arm, seed, part)]
        world = [d for d in discovery.disciplines().values() if self.scale.world in d.worlds]
        rule = discovery.mixing_rule(arm.mixture.update) if arm.mixture is not None else None
        objective = discovery.objective(arm.recipe.objective if arm.recipe else "response")
        learnt = {} if objective.name == "response" else {"objective": objective.version}
        likely = self.scale.evaluation.likelihood
        measured: dict[str, Any] = {}
        for source in self._measured(arm, seed):
            scale, base = self.scale, source.name
            settings = (
                scale.detection_of(base)
                if source.kind == "knowledge"
                else scale.reference_of(arm.base)
            )
            measured[source.kind] = {**settings, "shipped": shipped_hash(scale, base, seed)}
        return {
            "arm": plain(arm),
            **measured,
            "design": method.validate(arm.choices),
            "seed": seed,
            "part": part,
            "scale": self.scale.identity(arm.method, arm.base, objective.name, arm.choices),
            "data": self.data_digest,
            "base": shipped_hash(self.scale, arm.base, seed),
            "versions": {
                "trainer": versions.TRAINER,
                "evaluator": versions.EVALUATOR,
                "recipes": versions.RECIPES,
                **({"mixing": rule.version, "held_out": HELD_OUT} if rule else {}),
                "method": method.version,
                **learnt,
                **({"likelihoods": versions.LIKELIHOODS} if likely else {}),
                "disciplines": {d.name: d.version for d in world},
            },
            # Parents that an arm names joined later than those that its method implies.
            "experts": [] if arm.parents else parents,
            **({"parents": parents} if arm.parents else {}),
        }

    def parents(self, arm: Arm, seed: int, part: str | None = None) -> tuple[Run, ...]:
        """The runs that a run starts from or is made of, in the order of its arm.

        Of an arm that names none, one on each scientific discipline where its method implies
        them. Raises InputError for parents that its method cannot take.
        """
        key = (arm, seed, part)
        if key not in self._parents:
            method = discovery.method(arm.method)
            check_parents(arm)
            implied = method.implied if not arm.parents else None
            pairs = [(p, part) for p in arm.parents]
            if implied is not None:
                pairs = [(implied(arm, d.name), d.name) for d in science(self.scale)]
            self._parents[key] = tuple(
                r for a, of in pairs for r in self.runs_of(a, seed) if r.part in (None, of)
            )
        return self._parents[key]

    def needs(self, run: Run) -> tuple[Run, ...]:
        """`parents` of a run."""
        return self.parents(run.arm, run.seed, run.part)

    def chain(self, run: Run) -> tuple[Run, ...]:
        """The runs whose weights, put on the base model one after another, are the run's model.

        The run itself is the last. Adapters lie on what they were trained on; whatever is merged
        from whole models is whole itself.
        """
        takes, above = discovery.method(run.arm.method).takes, self.needs(run)
        if not above or takes == "models":
            return (run,)
        # Adapters that are composed have one start in common.
        begun = self.chain(above[0])
        return (*(begun if takes in ("base", "model") else begun[:-1]), run)

    def made_from(self, run: Run) -> tuple[Source, ...]:
        """Everything that the weights of a run come from."""
        rows = [Source("corpus")] if discovery.trains_rows(run.arm) or fits(run.arm) else []
        rows += self._measured(run.arm, run.seed)
        runs = dict.fromkeys((*self.chain(run)[:-1], *self.needs(run)))
        weights = (Source("weights", r.id, r.seed) for r in runs)
        return (*rows, Source("base", run.arm.base, run.seed), *weights)

    def _measured(self, arm: Arm, seed: int) -> tuple[Source, ...]:
        """What an arm's mixture reads of base models. Raises InputError where the scale says not
        how to measure it.
        """
        mixture, found = arm.mixture, []
        if mixture is None:
            return ()
        whose = mixture.detected_in(arm.base)
        if whose is not None:
            self.scale.detection_of(whose)
            found.append(Source("knowledge", whose, seed))
        rule = discovery.mixing_rule(mixture.update)
        rule.check(mixture)
        if rule.references:
            self.scale.reference_of(arm.base)
            found.append(Source("reference", self.scale.references[arm.base].base, seed))
        return tuple(found)

    def described_by(self, run: Run) -> tuple[Source, ...]:
        """What a law's table says of a run beside its scores: the shares that were detected in a
        base model, and how far from them a mixture on it is.
        """
        base, scale = run.arm.base, self.scale
        compared = run.arm.mixture is not None or not run.arm.has_weights
        if scale.detection is None or not compared or not scale.emits_texts(base):
            return ()
        return (Source("knowledge", base, run.seed),)

    def scored_from(self, run: Run) -> tuple[Source, ...]:
        """Everything that the scores of a run come from."""
        runs = self.chain(run) if run.arm.has_weights else ()
        weights = (Source("weights", r.id, r.seed) for r in runs)
        return (Source("corpus"), Source("base", run.arm.base, run.seed), *weights)

    def law_runs(self, law: Law) -> dict[str, Run]:
        """Every run that a law's scores come from, by id; of derived ones, their sources."""
        found: dict[str, Run] = {}
        for run in self.table_runs(law).values():
            if not discovery.method(run.arm.method).derived:
                found[run.id] = run
                continue
            for source in self.derived_from(run):
                found[source.id] = source
        return found

    def table_runs(self, law: Law) -> dict[str, Run]:
        """Every run whose scores a law's table holds, by id."""
        return {run.id: run for a in law.arms for run in self.runs(a)}

    def derived_runs(self, law: Law) -> list[Run]:
        """Runs of a law that are not made: their scores are derived from those of others."""
        runs = self.table_runs(law).values()
        return [run for run in runs if discovery.method(run.arm.method).derived]

    def derived_from(self, run: Run) -> tuple[Run, ...]:
        """The runs whose scores a derived one's follow from."""
        return (*self.needs(run), self.base_run(run.arm, run.seed))

    def base_run(self, arm: Arm, seed: int) -> Run:
        """The run of the base model that an arm is on, as it is."""
        (run,) = self.runs_of(Arm(method="base", base=arm.base, decoding=arm.decoding), seed)
        return run

    def with_parents(self, runs: Iterable[Run]) -> dict[str, Run]:
        """The runs and all that they are made from, by id, parents first."""
        found: dict[str, Run] = {}

        def add(run: Run) -> None:
            if run.id not in found:
                for parent in self.needs(run):
                    add(parent)
                found[run.id] = run

        for run in runs:
            add(run)
        return found

    def row_count(self, run: Run) -> int:
        """Planned training rows of a run (0 for one that learns none); orders jobs by length."""
        if run.arm.recipe is None or not discovery.trains_rows(run.arm):
            return 0
        corpus, recipe = self.scale.corpus, self.scale.sized(run.arm.recipe)
        planned = planned_mixture(
            recipe, science(self.scale), corpus.size, corpus.general_pool, corpus.caps
        )
        return round(planned[run.part] if run.part else sum(planned.values()))


@dataclass(frozen=True)
class Batch:
    """Runs that one job carries. needs: ids of the batches whose weights it loads."""

    id: str
    seed: int
    runs: tuple[Run, ...]
    rows: int
    needs: tuple[str, ...]


def every_batch(planner: Planner) -> dict[str, Batch]:
    """The jobs of a scale's laws, beside them those of the laws of all other studies, and those of
    its controls.

    The latter do not move the former: they use their runs, and share out what is left.
    """
    listed = scale_laws(planner.scale)
    found = batches(planner, plannable(planner, listed))
    others = {n: law for n, law in discovery.laws().items() if n not in listed}
    found |= batches(planner, plannable(planner, others), found.values())
    return found | batches(planner, controls(planner), found.values())


def controls(planner: Planner) -> dict[str, Law]:
    """The scale's controls as a law, by their name; empty where there are none."""
    law = controls_of(planner.scale).law
    return {law.name: law} if law else {}


def plannable(planner: Planner, laws: Mapping[str, Law]) -> dict[str, Law]:
    """The realisable laws, without those from outside whose runs cannot be planned.

    Why not is kept by `discovery.leave_out`. Raises InputError for what no law can be planned with.
    """
    found = realisable(planner.scale, laws)
    strangers = [name for name in found if discovery.outside(name)]
    if strangers:
        discovery.require_whole("disciplines")
        science(planner.scale)
        planner.data_digest  # noqa: B018 (raises where the scale's data are not there)
    for name in strangers:
        try:
            for run in planner.with_parents(planner.law_runs(found[name]).values()).values():
                planner.row_count(run)
        # Declared by somebody else: of any type, and checked nowhere before.
        except Exception as error:
            why = str(error) if isinstance(error, InputError) else repr(error)
            line = f"law {name!r} at scale {planner.scale.name!r}: {why}"
            discovery.leave_out("laws", line, name)
            del found[name]
    return found


def batches(
    planner: Planner, laws: Mapping[str, Law], given: Iterable[Batch] = ()
) -> dict[str, Batch]:
    """Partition the runs of all laws into jobs; runs of given jobs are in those.

    Runs share a job only if exactly the same laws want them: then every law needs a batch
    wholly or not at all, whichever targets are asked for together. Runs that load other runs'
    weights never share a job with those: a job holds runs of one level, their longest path to a
    run without parents, so that batches cannot depend on one another in a circle. The largest
    runs come first, which evens out the jobs.
    """
    home = {run.id: batch.id for batch in given for run in batch.runs}
    wanted: dict[str, set[str]] = defaultdict(set)
    found: dict[str, Run] = {}
    for name, law in laws.items():
        for run_id, run in planner.with_parents(planner.law_runs(law).values()).items():
            found[run_id] = run
            wanted[run_id].add(name)
    classes: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    levels: dict[str, int] = {}
    # Parents come before what is made from them.
    for run_id, run in found.items():
        if run_id in home:
            continue
        level = levels[run_id] = max((levels[p.id] + 1 for p in planner.needs(run)), default=0)
        classes[(run.seed, level, tuple(sorted(wanted[run_id])))].append(run)
    result: dict[str, Batch] = {}
    for key in sorted(classes, key=lambda k: (k[1], k[0], k[2])):
        for members in _even(classes[key], planner):
            needs = {home[p.id] for r in members for p in planner.needs(r)}
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
    for law in (*plannable(planner, laws).values(), *controls(planner).values()):
        known |= planner.with_parents(planner.law_runs(law).values())
        if all(run_id in known for run_id in ids):
            break
    for run_id in ids:
        if run_id not in known:
            raise InputError(
                f"run {run_id!r}: no law declares it at scale {planner.scale.name!r} with seeds "
                f"{', '.join(map(str, planner.seeds))}; {nearest(run_id, known)}"
            )
    return [known[run_id] for run_id in ids]
