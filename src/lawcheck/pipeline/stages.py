"""The stages of a study for named runs, each usable without a workflow engine."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from lawcheck.corpus.build import check_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Law, Run, Score
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import data_folder, scale_laws
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.holding import held
from lawcheck.files.origin import OriginError
from lawcheck.files.reading import read_object
from lawcheck.files.records import TrainedOnPhases, fitting
from lawcheck.files.refusals import doing
from lawcheck.pipeline.cards import write_cards
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.planning.shipped import build_command, resolve_base
from lawcheck.training.heap import settled
from lawcheck.training.record import Link, read_record


def base_folder(planner: Planner, layout: Layout, base: str, seed: int) -> Path | str:
    """Where a run's base model lies. Raises InputError if it is not built yet."""
    scale = planner.scale
    own = scale.base_seed(base, seed)
    found = resolve_base(scale, base, seed, layout.base(base, own))
    if found is None:
        seeded = "" if own is None else f" with seed {seed}"
        raise InputError(
            f"base model {base!r}{seeded} at scale {scale.name!r}: not built; "
            f"run: {build_command(scale, base, own)}"
        )
    return found


def build_bases(
    planner: Planner,
    layout: Layout,
    base: str,
    seeds: Iterable[int],
    rebuild: bool = False,
    wait: float = 0.0,
) -> dict[int, Path]:
    """Build the bases that are neither shipped nor built; with `rebuild`, all of them anew.

    wait: seconds to wait for another live process that builds one of them.
    """
    scale = planner.scale
    built: dict[int, Path] = {}
    for seed in seeds:
        target = layout.base(base, scale.base_seed(base, seed))

        def ready(seed: int = seed, target: Path = target) -> bool:
            return not rebuild and _stands(scale, base, seed, target)

        # One that all seeds share is made once.
        if target not in built.values() and not ready():
            with held(target.with_name(f".{target.name}.lock"), f"base {target.name!r}", wait):
                # Whoever held it may have built it.
                if not ready():
                    _build(scale, base, seed, target)
        built[seed] = target
    return built


def _build(scale: Scale, base: str, seed: int, target: Path) -> None:
    if scale.base_seed(base, seed) is None:
        from lawcheck.training.base.package import convert_base

        convert_base(scale, base, target)
        return
    from lawcheck.training.base.build import build_base

    progress = sys.stderr.isatty()
    build_base(scale, base, seed, target, data=data_folder(scale), progress=progress)


def _stands(scale: Scale, base: str, seed: int, target: Path) -> bool:
    """Whether a base need not be built; one that is not as recorded is built anew."""
    try:
        return resolve_base(scale, base, seed, target) is not None
    except OriginError as fault:
        print(f"lawcheck: {fault}", file=sys.stderr)
        return False


def train(
    planner: Planner, layout: Layout, runs: Sequence[Run], wait: float = 0.0
) -> dict[str, Any]:
    """Train or merge the runs that are not complete; return what a batch record keeps of each.

    A run below a diverged one is neither trained nor merged: it is made as diverged as that. wait:
    seconds to wait for another live process that trains one of them.
    """
    from lawcheck.training.device import require_device
    from lawcheck.training.launch import rank

    require_device(planner.scale.hardware)
    manifest = check_corpus(layout.corpus, planner.scale)
    record: dict[str, dict[str, Any]] = {}
    for run in runs:
        if not run.arm.has_weights:
            record[run.id] = {"trained": False}
            continue
        diverged = _diverged(planner, layout, run)
        trains = discovery.trains_rows(run.arm) and diverged is None
        # The Trainer collects garbage before it starts: 0.25 of 16 CPU s a run went by on modules.
        with doing(f"{'train' if trains else 'make'} run {run.id!r}"), settled():
            if trains:
                result = _train(planner, layout, run, manifest, wait)
            else:
                result = _make(planner, layout, run, diverged, wait)
        if rank() == 0:
            write_cards(planner, layout, [run])
        record[run.id] = {"trained": trains, "weights_sha256": result.get("weights_sha256")}
    return record


def _train(
    planner: Planner, layout: Layout, run: Run, manifest: dict[str, Any], wait: float
) -> dict[str, Any]:
    from lawcheck.training.mixture import rows_of
    from lawcheck.training.run import train_run

    return train_run(
        run,
        planner.scale,
        rows_of(run, planner.scale, layout.corpus, manifest, layout.tokens),
        base_folder(planner, layout, run.arm.base, run.seed),
        layout.run(run.id),
        _given(planner, layout, run),
        start=links(layout, planner.chain(run)[:-1]),
        wait=wait,
        made_from=sources.weights(planner, layout, run),
    )


def _make(
    planner: Planner, layout: Layout, run: Run, diverged: Run | None, wait: float
) -> dict[str, Any]:
    from lawcheck.training.making import make_run

    # What would be merged of a diverged model is that model, at its last good state.
    merged = diverged is not None and discovery.method(run.arm.method).takes == "models"
    chain = planner.chain(diverged) if diverged and merged else planner.chain(run)[:-1]
    return make_run(
        run,
        planner.scale,
        base_folder(planner, layout, run.arm.base, run.seed),
        layout.run(run.id),
        {} if merged else _given(planner, layout, run),
        start=links(layout, chain),
        parents=[p.id for p in planner.needs(run)],
        diverged=diverged.id if diverged else None,
        wait=wait,
        made_from=sources.weights(planner, layout, run),
    )


def _given(planner: Planner, layout: Layout, run: Run) -> dict[str, Path]:
    """The folders that a method builds from, by the arm's name, or the discipline it implies."""
    if discovery.method(run.arm.method).takes not in ("models", "adapters"):
        return {}
    return {
        p.arm.name if run.arm.parents else str(p.part): trained_folder(layout, p.id)
        for p in planner.needs(run)
    }


def _diverged(planner: Planner, layout: Layout, run: Run) -> Run | None:
    """The first of the parents that the run's arm names which diverged."""
    for parent in planner.needs(run) if run.arm.parents else ():
        if (read_record(layout.run(parent.id)) or {}).get("diverged"):
            return parent
    return None


def links(layout: Layout, chain: Sequence[Run]) -> tuple[Link, ...]:
    """What has to be loaded on a base model for the model of the chain's last run.

    Nothing below a whole model. Files are compared with their records.
    """
    found: list[Link] = []
    for run in reversed(chain):
        found.insert(0, Link(run.id, run.arm.method, trained_folder(layout, run.id)))
        if found[0].whole:
            break
    return tuple(found)


def trained_folder(layout: Layout, run_id: str) -> Path:
    """The adapter of a run, after its files were compared with their record."""
    how = sources.step(layout, "train", run_id)
    origin.require(layout.train_record(run_id), "weights", run_id, how)
    return layout.adapter(run_id)


def evaluate(
    planner: Planner,
    layout: Layout,
    runs: Sequence[Run],
    split: str = "eval",
    roles: Collection[str] = ("discipline", "general", "out_of_domain"),
) -> dict[str, Any]:
    """Score the runs that have no complete score file; return each file's digest.

    A run trained on one discipline alone is scored on that discipline's tasks only.
    """
    from lawcheck.evaluation.run import EvalJob, evaluate_runs
    from lawcheck.training.device import require_device

    scale = planner.scale
    require_device(scale.hardware)
    check_corpus(layout.corpus, scale)
    world = [
        d for d in discovery.disciplines().values() if scale.world in d.worlds and d.role in roles
    ]
    jobs = [
        EvalJob(
            run_id=run.id,
            arm=run.arm.name,
            seed=run.seed,
            method=run.arm.method,
            base_folder=base_folder(planner, layout, run.arm.base, run.seed),
            run_folder=layout.run(run.id) if run.arm.has_weights else None,
            # Once all of the run's model was compared with its records.
            start=links(layout, planner.chain(run))[:-1] if run.arm.has_weights else (),
            disciplines=tuple(d for d in world if run.part in (None, d.name)),
            revision=scale.revision(run.arm.base),
            made_from=sources.scores(planner, layout, run),
            decoding=run.arm.decoding,
        )
        for run in runs
    ]
    found = evaluate_runs(
        jobs, scale, layout.corpus, lambda run_id: layout.run_scores(run_id, split), split=split
    )
    write_cards(planner, layout, runs)
    return found


def collect(planner: Planner, layout: Layout, law: Law) -> Path:
    """One score table for a law, from the score files of its runs.

    What was measured on the training mixture joins as more rows of each run.
    """
    from lawcheck.pipeline.provenance import write_provenance
    from lawcheck.scores import concatenate

    runs = planner.law_runs(law)
    listed = law.name in scale_laws(planner.scale) or law.name not in discovery.laws()
    measured = mixture_scores(planner.scale, layout, runs.values(), listed)
    files = []
    for run_id in runs:
        # All are there before any is compared.
        path = layout.run_scores(run_id)
        if not path.is_file():
            raise InputError(
                f"law {law.name!r}: run {run_id} has no scores; "
                f"run: snakemake --profile local law_{law.name}"
            )
        files.append(path)
    target = layout.law_scores(law.name)
    made_from = sources.table(planner, layout, law)
    concatenate(files, target, measured)
    write_provenance(planner, layout, law, runs.values())
    origin.seal(
        target,
        "table",
        law.name,
        beside=[layout.provenance(law.name).name],
        made_from=made_from,
        holds={"seeds": list(planner.seeds)},
    )
    return target


def mixture_scores(
    scale: Scale, layout: Layout, runs: Iterable[Run], listed: bool = True
) -> list[Score]:
    """Share and number of distinct n-grams in the mixture of every run whose rows are known before;
    weights and losses per domain and phase of those whose shares may move.

    Runs on a single discipline train on no mixture. listed: whether mixtures.json must know all
    that the runs are trained on. Raises InputError where the statistics are
    missing or belong to another corpus.
    """
    from lawcheck.corpus.statistics import diversity, read_mixtures, with_mixtures
    from lawcheck.scores import COUNT, DISTINCT

    runs = list(runs)
    mixed = [
        (run, recipe)
        for run in runs
        if discovery.trains_rows(run.arm) and (recipe := run.arm.fixed_mixture) is not None
    ]
    content = read_mixtures(scale, layout) if mixed else {}
    if mixed and not listed:
        content = with_mixtures(content, scale, layout, {r.label: r for _, r in mixed})
    found = [
        _measured(run, "mixture", "train", metric, value)
        for run, recipe in mixed
        for metric, value in zip((DISTINCT, COUNT), diversity(content, recipe, scale), strict=True)
    ]
    for run in runs:
        if run.arm.mixture is not None:
            found += _phase_scores(run, layout)
    return found


def _phase_scores(run: Run, layout: Layout) -> list[Score]:
    from lawcheck.scores import LOSS, WEIGHT

    path = layout.train_record(run.id)
    how = sources.step(layout, "train", run.id)
    mixture = fitting(read_object(path, how), TrainedOnPhases, str(path), how)["mixture"]
    phases = mixture["phases"]
    losses = enumerate([mixture["losses_before"], *(p["losses"] or {} for p in phases)])
    weights = enumerate((p["weights"] for p in phases), start=1)
    return [
        _measured(run, domain, str(phase), metric, value)
        for metric, by_phase in ((WEIGHT, weights), (LOSS, losses))
        for phase, values in by_phase
        for domain, value in values.items()
        if value is not None
    ]


def _measured(run: Run, task: str, item: str, metric: str, value: float) -> Score:
    return Score(
        run_id=run.id,
        arm=run.arm.name,
        seed=run.seed,
        task=task,
        item_id=item,
        cluster="",
        metric=metric,
        value=value,
    )
