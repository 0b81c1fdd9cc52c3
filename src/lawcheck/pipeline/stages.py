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
from lawcheck.declare.worlds import data_folder
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.holding import held
from lawcheck.files.origin import OriginError
from lawcheck.files.refusals import doing
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.planning.shipped import resolve_base
from lawcheck.training.heap import settled


def base_folder(planner: Planner, layout: Layout, base: str, seed: int) -> Path | str:
    """Where a run's base model lies. Raises InputError if it is not built yet."""
    scale = planner.scale
    found = resolve_base(scale, base, seed, layout.base(base, seed))
    if found is None:
        raise InputError(
            f"base model {base!r} with seed {seed} at scale {scale.name!r}: not built; "
            f"run: lawcheck base --scale {scale.name} --base {base} --seed {seed}"
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
    from lawcheck.training.base.build import build_base

    scale = planner.scale
    built = {}
    for seed in seeds:
        target = layout.base(base, seed)

        def ready(seed: int = seed, target: Path = target) -> bool:
            return not rebuild and _stands(scale, base, seed, target)

        if not ready():
            with held(target.with_name(f".{target.name}.lock"), f"base {target.name!r}", wait):
                # Whoever held it may have built it.
                if not ready():
                    progress = sys.stderr.isatty()
                    data = data_folder(scale)
                    build_base(scale, base, seed, target, data=data, progress=progress)
        built[seed] = target
    return built


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
    """Train the runs that are not complete; return what a batch record keeps of each.

    wait: seconds to wait for another live process that trains one of them.
    """
    from lawcheck.training.device import require_device
    from lawcheck.training.mixture import rows_of
    from lawcheck.training.run import train_run

    scale = planner.scale
    require_device(scale.hardware)
    manifest = check_corpus(layout.corpus, scale)
    record = {}
    for run in runs:
        if run.arm.recipe is None:
            record[run.id] = {"trained": False}
            continue
        experts = planner.experts(run.arm, run.seed)
        # The Trainer collects garbage before it starts: 0.25 of 16 CPU s a run went by on modules.
        with doing(f"train run {run.id!r}"), settled():
            result = train_run(
                run,
                scale,
                rows_of(run, scale, layout.corpus, manifest, layout.tokens),
                base_folder(planner, layout, run.arm.base, run.seed),
                layout.run(run.id),
                {str(e.part): trained_folder(layout, e.id) for e in experts},
                wait=wait,
                made_from=sources.weights(planner, layout, run),
            )
        record[run.id] = {"trained": True, "weights_sha256": result["weights_sha256"]}
    return record


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
            run_folder=trained_folder(layout, run.id).parent if run.arm.recipe else None,
            disciplines=tuple(d for d in world if run.part in (None, d.name)),
            revision=scale.revision(run.arm.base),
            made_from=sources.scores(planner, layout, run),
        )
        for run in runs
    ]
    return evaluate_runs(
        jobs, scale, layout.corpus, lambda run_id: layout.run_scores(run_id, split), split=split
    )


def collect(planner: Planner, layout: Layout, law: Law) -> Path:
    """One score table for a law, from the score files of its runs.

    The n-gram diversity of the training mixture joins as one more row of each run.
    """
    from lawcheck.pipeline.provenance import write_provenance
    from lawcheck.scores import concatenate

    runs = planner.law_runs(law)
    measured = mixture_scores(planner.scale, layout, runs.values())
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


def mixture_scores(scale: Scale, layout: Layout, runs: Iterable[Run]) -> list[Score]:
    """Share of distinct n-grams in the mixture of every run that is trained on one.

    Runs on a single discipline train on no mixture. Raises InputError where the statistics are
    missing or belong to another corpus.
    """
    from lawcheck.corpus.statistics import diversity, read_mixtures
    from lawcheck.scores import DISTINCT

    mixed = [
        (run, run.arm.recipe)
        for run in runs
        if run.arm.recipe is not None and not run.arm.each_alone
    ]
    if not mixed:
        return []
    content = read_mixtures(scale, layout)
    return [
        Score(
            run_id=run.id,
            arm=run.arm.name,
            seed=run.seed,
            task="mixture",
            item_id="train",
            cluster="",
            metric=DISTINCT,
            value=diversity(content, recipe, scale),
        )
        for run, recipe in mixed
    ]
