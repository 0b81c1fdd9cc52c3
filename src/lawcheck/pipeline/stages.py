"""The stages of a study for named runs, each usable without a workflow engine."""

from __future__ import annotations

import functools
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lawcheck.corpus.build import check_corpus
from lawcheck.corpus.folder import write_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Law, Run, Score
from lawcheck.declare.layout import Layout
from lawcheck.declare.method import Fits
from lawcheck.declare.mixing import Reference
from lawcheck.declare.scale import BuiltBase, Scale
from lawcheck.declare.worlds import data_folder, scale_laws, science
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.atomic import write_json
from lawcheck.files.holding import held
from lawcheck.files.origin import OriginError
from lawcheck.files.reading import read_object
from lawcheck.files.records import (
    Knowledge,
    Merged,
    ReferenceLosses,
    TrainedOnPhases,
    TrainedOnSelection,
    fitting,
)
from lawcheck.files.refusals import doing
from lawcheck.methods.merging import RECORD as MERGE_RECORD
from lawcheck.pipeline.cards import write_cards
from lawcheck.pipeline.composites import derived_scores
from lawcheck.planning import sources
from lawcheck.planning.controls import NAME
from lawcheck.planning.plan import Planner, Source
from lawcheck.planning.shipped import build_command, resolve_base
from lawcheck.training.heap import settled
from lawcheck.training.record import Link, read_record

# Beside knowledge.json, the texts that it counts; and the task of what is measured of a base model.
TEXTS, BASE = "texts.jsonl", "base_model"
# Task of what is counted over all tasks of a selection.
ALL = "all"
# Task of the mean potential that the first update of a mixture reads.
FIRST = "first_update"


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
    own = scale.base_seed(base, seed)
    if own is None:
        from lawcheck.training.base.package import convert_base

        convert_base(scale, base, target)
        return
    from lawcheck.training.base.build import build_base

    progress = sys.stderr.isatty()
    build_base(scale, base, own, target, data=data_folder(scale), progress=progress)


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
    from lawcheck.training.selection import selected_rows

    base = base_folder(planner, layout, run.arm.base, run.seed)
    detected, reference = _measured(planner, layout, run)
    return train_run(
        run,
        planner.scale,
        selected_rows(run.arm, planner.scale, layout.corpus, base)
        if run.arm.selection
        else rows_of(
            run, planner.scale, layout.corpus, manifest, layout.tokens, detected, reference
        ),
        base,
        layout.run(run.id),
        _given(planner, layout, run),
        start=links(layout, planner.chain(run)[:-1]),
        wait=wait,
        made_from=sources.weights(planner, layout, run),
    )


def _measured(
    planner: Planner, layout: Layout, run: Run
) -> tuple[dict[str, float] | None, Reference | None]:
    """Detected shares and reference losses that a run's mixture reads."""
    detected = reference = None
    for source in planner.made_from(run):
        if source.kind == "knowledge":
            detected = knowledge(planner, layout, source)["shares"]
        elif source.kind == "reference":
            sources.require_measured(planner, layout, source)
            path = layout.reference(source.name, source.seed)
            how = sources.step(layout, "reference", f"--base {source.name} --seed {source.seed}")
            found = fitting(read_object(path, how), ReferenceLosses, str(path), how)
            reference = Reference(found["losses"], found["transfer"])
    return detected, reference


def knowledge(planner: Planner, layout: Layout, source: Source) -> dict[str, Any]:
    """What was detected in a base, after its files were compared with what they were made from."""
    sources.require_measured(planner, layout, source)
    path = layout.knowledge(source.name, source.seed)
    how = sources.step(layout, "detect", f"--base {source.name} --seed {source.seed}")
    found = fitting(read_object(path, how), Knowledge, str(path), how)
    if (found["base"], found["seed"]) != (source.name, source.seed):
        raise InputError(
            f"{path}: shares of base {found['base']!r} with seed {found['seed']}, expected "
            f"{source.name!r} with seed {source.seed}; {how}"
        )
    return found


def detect(
    planner: Planner, layout: Layout, base: str, seed: int, wait: float = 0.0
) -> dict[str, Any]:
    """Detect the shares of domains in a base model; return knowledge.json, which is not made again.

    wait: seconds to wait for another live process that does the same.
    """
    scale = planner.scale
    scale.detection_of(base)
    check_corpus(layout.corpus, scale)
    path, source = layout.knowledge(base, seed), Source("knowledge", base, seed)

    def make() -> None:
        from lawcheck.training import detection
        from lawcheck.training.mixture import domain_rows

        rows = domain_rows(scale, layout.corpus)
        folder = base_folder(planner, layout, base, seed)
        found, texts = detection.detect(scale, base, seed, folder, rows)
        recipe = scale.bases[base]
        true = recipe.mixture if isinstance(recipe, BuiltBase) else None
        found["pretraining_rows"] = true
        distance = None if true is None else detection.total_variation(found["shares"], true)
        found["total_variation"] = distance
        write_rows(path.with_name(TEXTS), texts)
        write_json(path, found)

    made_from = sources.knowledge(planner, layout, base, seed)
    _once(planner, layout, source, path, make, made_from, [TEXTS], wait)
    return knowledge(planner, layout, source)


def measure_reference(
    planner: Planner, layout: Layout, base: str, seed: int, wait: float = 0.0
) -> None:
    """Train a reference base on each domain alone and keep its losses; not made again."""
    scale = planner.scale
    settings = sources.settings_of_reference(scale, base)
    manifest = check_corpus(layout.corpus, scale)
    path, source = layout.reference(base, seed), Source("reference", base, seed)
    made_from = sources.reference(planner, layout, base, seed)

    def make() -> None:
        from lawcheck.training import domain_reference
        from lawcheck.training.launch import rank
        from lawcheck.training.mixture import domain_rows, rows_alone

        domains = tuple(domain_rows(scale, layout.corpus))
        place = (scale, layout.corpus, manifest, layout.tokens)
        found = domain_reference.measure(
            scale,
            settings,
            seed,
            domains,
            lambda run, domain: rows_alone(run, *place, domain),
            base_folder(planner, layout, base, seed),
            path.parent,
            made_from,
        )
        if rank() == 0:
            write_json(path, found)
            domain_reference.forget(path.parent, domains)

    _once(planner, layout, source, path, make, made_from, [], wait)


def _once(
    planner: Planner,
    layout: Layout,
    source: Source,
    path: Path,
    make: Callable[[], None],
    made_from: dict[str, str],
    beside: Sequence[str],
    wait: float,
) -> None:
    """Make and seal what is measured of a base, unless it is there, whole and of now."""
    from lawcheck.training.launch import rank

    def ready() -> bool:
        try:
            sources.require_measured(planner, layout, source)
        except OriginError as fault:
            if path.exists():
                print(f"lawcheck: {fault}", file=sys.stderr)
            return False
        return True

    if ready():
        return
    if rank() != 0:
        make()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"{source.name}-s{source.seed}"
    with held(path.parent / ".lock", f"{source.kind} of base {name!r}", wait):
        # Whoever held it may have made it.
        if not ready():
            origin.forget(path)
            with doing(f"{source.kind} of base {name!r}"):
                make()
            origin.seal(path, source.kind, name, beside=beside, made_from=made_from)


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
        fit=functools.partial(_fit, planner, layout, run),
    )


def _fit(planner: Planner, layout: Layout, run: Run, model: Any) -> None:
    from lawcheck.evaluation.held_out import answered, written
    from lawcheck.evaluation.tasks import load_tasks
    from lawcheck.training.base.tokenizer import load_tokenizer

    module = discovery.method_module(run.arm.method)
    if not isinstance(module, Fits):
        return
    scale, names = planner.scale, sources.selected_tasks(run.arm)
    base = base_folder(planner, layout, run.arm.base, run.seed)
    placed = load_tasks(science(scale), scale, layout.corpus, "tune")
    batches = written(
        load_tokenizer(base, scale.revision(run.arm.base)),
        [p for p in placed if p.declared.name in names],
        "response",
        scale.hardware.evaluation_batch,
        scale.training.max_length,
    )
    # Tokens that a choice is made by: of few adapters, hundreds tell.
    answers = functools.partial(answered, model.eval(), list(batches), 600)
    module.fit_on_tuning(model, answers)


def _given(planner: Planner, layout: Layout, run: Run) -> dict[str, Path]:
    """The folders that a method builds from, by the arm's name, or the discipline it implies."""
    if discovery.method(run.arm.method).takes not in ("adapter", "models", "adapters"):
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
    only: Collection[tuple[str, str]] | None = None,
    out: Callable[[str], Path] | None = None,
) -> dict[str, Any]:
    """Score the runs that have no complete score file; return each file's digest.

    only: (task, item) of the items that are asked, whatever the runs are asked otherwise; out: run
    id -> where their scores go. A run trained on one discipline alone is scored on that
    discipline's tasks only, and where scores are not crossed, one on selected tasks on those.
    """
    from lawcheck.evaluation.run import EvalJob, evaluate_runs
    from lawcheck.training.device import require_device

    scale = planner.scale
    require_device(scale.hardware)
    check_corpus(layout.corpus, scale)
    world = [
        d
        for d in discovery.disciplines().values()
        if scale.world in d.worlds and d.role in roles and scale.evaluation.asks(d.name)
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
            selection=run.arm.selection,
            tasks=frozenset(sources.tasks(run, scale, roles)) if only is None else None,
        )
        for run in runs
    ]
    place = out or (lambda run_id: layout.run_scores(run_id, split))
    found = evaluate_runs(jobs, scale, layout.corpus, place, split=split, only=only)
    if only is None:
        write_cards(planner, layout, runs)
    return found


def tuning_loss(planner: Planner, layout: Layout, run: Run) -> float | None:
    """Loss of a run's objective on the tuning items that it should know; None if not finite."""
    import torch

    from lawcheck.evaluation.held_out import held_out_loss
    from lawcheck.evaluation.tasks import load_tasks
    from lawcheck.training.base.tokenizer import load_tokenizer
    from lawcheck.training.chain import load_model

    scale, recipe = planner.scale, run.arm.recipe
    assert recipe is not None
    base = base_folder(planner, layout, run.arm.base, run.seed)
    revision = scale.revision(run.arm.base)
    model = load_model(base, revision, links(layout, planner.chain(run)), dtype=torch.float32)
    names = recipe.disciplines or [d.name for d in science(scale)]
    tasks = load_tasks(map(discovery.discipline, names), scale, layout.corpus, "tune")
    found = held_out_loss(
        model.to(scale.hardware.device),
        load_tokenizer(base, revision),
        tasks,
        recipe.objective,
        scale.hardware.evaluation_batch,
        scale.training.max_length,
    )
    return found if math.isfinite(found) else None


def collect(planner: Planner, layout: Layout, law: Law) -> Path:
    """One score table for a law, from the score files of its runs.

    What was measured on the training mixture joins as more rows of each run.
    """
    from lawcheck.pipeline.provenance import write_provenance
    from lawcheck.scores import concatenate

    runs = planner.law_runs(law)
    listed = law.name in scale_laws(planner.scale) or law.name not in discovery.laws()
    # Others are only derived from.
    shown = {k: run for k, run in runs.items() if k in planner.table_runs(law)}
    measured = []
    if law.name != NAME:
        # No control reads what was measured on mixtures, and those of controls are not counted.
        measured += mixture_scores(planner.scale, layout, shown.values(), listed)
    measured += detected_scores(planner, layout, shown.values())
    measured += selection_scores(layout, shown.values())
    files = []
    for run_id in runs:
        # All are there before any is compared.
        path = layout.run_scores(run_id)
        if not path.is_file():
            rule = NAME if law.name == NAME else f"law_{law.name}"
            raise InputError(
                f"law {law.name!r}: run {run_id} has no scores; "
                f"run: snakemake --profile local {rule} --config scale={planner.scale.name}"
            )
        if run_id in shown:
            files.append(path)
    made_from = sources.table(planner, layout, law)
    for run in planner.derived_runs(law):
        folder = functools.partial(base_folder, planner, layout, run.arm.base, run.seed)
        with tempfile.TemporaryDirectory() as place:
            answers = functools.partial(_answers, planner, layout, Path(place))
            measured += derived_scores(planner, layout, run, folder, answers)
    target = layout.law_scores(law.name)
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


def _answers(
    planner: Planner, layout: Layout, place: Path, run: Run, items: Collection[tuple[str, str]]
) -> Path:
    """Scores of a run on items that it is not asked otherwise."""
    path = place / f"{run.id}.parquet"
    evaluate(planner, layout, [run], only=items, out=lambda _: path)
    return path


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
        _measured_row(run, "mixture", "train", metric, value)
        for run, recipe in mixed
        for metric, value in zip((DISTINCT, COUNT), diversity(content, recipe, scale), strict=True)
    ]
    for run in runs:
        if run.arm.mixture is not None:
            found += _phase_scores(run, layout)
        found += _merge_scores(run, layout)
    return found


def _merge_scores(run: Run, layout: Layout) -> list[Score]:
    """Of a merge that tensors were joined in: where they lie, as its record says."""
    from lawcheck.scores import ARC, COSINE

    path = layout.adapter(run.id) / MERGE_RECORD
    if not path.is_file():
        return []
    how = sources.step(layout, "train", run.id)
    tensors = fitting(read_object(path, how), Merged, str(path), how)["tensors"]
    arcs = [entry["branch"] == "slerp" for entry in tensors.values()]
    return [
        _measured_row(run, "merge", "tensors", ARC, sum(arcs) / len(arcs)),
        *(
            _measured_row(run, "merge", name, COSINE, entry["cosine"])
            for name, entry in tensors.items()
            if entry["cosine"] is not None
        ),
    ]


def detected_scores(planner: Planner, layout: Layout, runs: Iterable[Run]) -> list[Score]:
    """Of base models, the shares of domains that were detected in them; of runs on mixtures, how
    far their rows are from those.
    """
    from lawcheck.scores import DETECTED, DIVERGENCE, PRETRAINED, UNSTABLE, VARIATION

    found, known = [], {}
    for run in runs:
        for source in planner.described_by(run):
            if source not in known:
                known[source] = knowledge(planner, layout, source)
            seen = known[source]
            if run.arm.mixture is not None:
                distance = _divergence(run, layout, seen["shares"])
                if distance is not None:
                    found.append(_measured_row(run, "mixture", "train", DIVERGENCE, distance))
                continue
            by_iteration = [i["shares"] for i in seen["iterations"]]
            found += [
                _measured_row(run, domain, str(k), DETECTED, share)
                for k, shares in enumerate(by_iteration, start=1)
                for domain, share in shares.items()
            ]
            learned = seen.get("pretraining_rows") or {}
            found += [
                _measured_row(run, d, "mean", PRETRAINED, rows / sum(learned.values()))
                for d, rows in learned.items()
            ]
            if seen["total_variation"] is not None:
                distance = seen["total_variation"]
                found.append(_measured_row(run, BASE, "mean", VARIATION, distance))
            largest = max(seen["shares"], key=lambda name: seen["shares"][name])
            deviation = statistics.stdev(shares[largest] for shares in by_iteration)
            found.append(_measured_row(run, BASE, largest, UNSTABLE, deviation))
    return found


def selection_scores(layout: Layout, runs: Iterable[Run]) -> list[Score]:
    """Rows that the selections of runs kept, by task and of all of them, and where some lie."""
    from lawcheck.scores import ROW_KEPT, ROW_X, ROW_Y, ROWS_SELECTED

    found = []
    for run in runs:
        if run.arm.selection is None:
            continue
        path = layout.train_record(run.id)
        how = sources.step(layout, "train", run.id)
        record = fitting(read_object(path, how), TrainedOnSelection, str(path), how)
        rows: dict[str, int] = record["selection"]["rows"]
        for task, count in {**rows, ALL: sum(rows.values())}.items():
            found.append(_measured_row(run, task, "run", ROWS_SELECTED, float(count)))
        first = run.arm.selection.tasks[0]
        for name, place in record["selection"]["places"].items():
            for metric, value in zip((ROW_X, ROW_Y, ROW_KEPT), place, strict=True):
                found.append(_measured_row(run, first, name, metric, value))
    return found


def _phases(run: Run, layout: Layout) -> dict[str, Any]:
    path = layout.train_record(run.id)
    how = sources.step(layout, "train", run.id)
    found = fitting(read_object(path, how), TrainedOnPhases, str(path), how)
    return dict(found["mixture"])


def _divergence(run: Run, layout: Layout, detected: Mapping[str, float]) -> float | None:
    """KL of a run's shares, mean over its phases, from the detected ones, in nats.

    None where it has a domain that was not detected at all: the divergence is infinite.
    """
    phases = [p["weights"] for p in _phases(run, layout)["phases"]]
    shares = {name: statistics.fmean(w[name] for w in phases) for name in phases[0]}
    if not all(detected.get(name, 0.0) > 0 for name, share in shares.items() if share > 0):
        return None
    terms = (s * math.log(s / detected[name]) for name, s in shares.items() if s > 0)
    # Rounding may leave two equal mixtures below 0.
    return max(0.0, math.fsum(terms))


def _phase_scores(run: Run, layout: Layout) -> list[Score]:
    from lawcheck.scores import DIFFERENT, DRAWN, LOSS, POTENTIAL, WEIGHT

    mixture = _phases(run, layout)
    phases = mixture["phases"]
    losses = enumerate([mixture["losses_before"], *(p["losses"] or {} for p in phases)])
    weights = enumerate((p["weights"] for p in phases), start=1)
    counts = {d: sum(p["rows"][d] for p in phases) for d in mixture["distinct_rows"]}
    found = [
        _measured_row(run, domain, "run", metric, float(n))
        for metric, by_domain in ((DRAWN, counts), (DIFFERENT, mixture["distinct_rows"]))
        for domain, n in by_domain.items()
    ]
    potentials = mixture.get("potentials", ())
    first = [x for x in potentials[1].values() if x is not None] if len(potentials) > 1 else []
    if first:
        found.append(_measured_row(run, FIRST, "mean", POTENTIAL, statistics.fmean(first)))
    by_metric = ((WEIGHT, weights), (LOSS, losses), (POTENTIAL, enumerate(potentials)))
    return found + [
        _measured_row(run, domain, str(phase), metric, value)
        for metric, by_phase in by_metric
        for phase, values in by_phase
        for domain, value in values.items()
        if value is not None
    ]


def _measured_row(run: Run, task: str, item: str, metric: str, value: float) -> Score:
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
