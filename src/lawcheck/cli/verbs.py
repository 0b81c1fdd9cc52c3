"""What each verb of the command line does. The stages are imported when they are used."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    from lawcheck.declare.design import Law
    from lawcheck.declare.layout import Layout
    from lawcheck.planning.plan import Planner

SEED_IN_ID = re.compile(r"-s(\d+)-[0-9a-f]{12}\Z")


def _quieten(scale: Any) -> None:
    """Worlds that are built here never ask a hub; CPU scales never look for an accelerator."""
    if scale.hardware.device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if all(base.kind == "built" for base in scale.bases.values()):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def _study(arguments: argparse.Namespace, runs: Sequence[str] = ()) -> tuple[Planner, Layout]:
    """Planner and layout; seeds come from --seeds, else from the run ids, else from the scale."""
    from lawcheck.declare.layout import Layout
    from lawcheck.declare.scale import load_scale
    from lawcheck.pipeline.workflow import parse_seeds
    from lawcheck.planning.plan import Planner

    scale = load_scale(arguments.scale)
    _quieten(scale)
    seeds = parse_seeds(getattr(arguments, "seeds", None), scale)
    if runs:
        seeds = tuple(sorted({_seed_of(r) for r in runs}))
    return Planner(scale, seeds), Layout(Path(arguments.results), scale.name)


def _seed_of(run_id: str) -> int:
    match = SEED_IN_ID.search(run_id)
    if not match:
        raise InputError(
            f"run {run_id!r}: expected <arm>-s<seed>-<digest>; `lawcheck plan LAW --runs` lists ids"
        )
    return int(match.group(1))


def run_list(arguments: argparse.Namespace) -> None:
    from lawcheck.cli.listing import listing, listing_text
    from lawcheck.declare import discovery

    if arguments.names:
        print("\n".join(discovery.laws()))
        return
    found = listing()
    if arguments.json:
        _print_json(found)
    else:
        print(listing_text(found))


def run_plan(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.planning.accelerators import load_accelerator
    from lawcheck.planning.forecast import plan_law, plan_text

    planner, _ = _study(arguments)
    law = discovery.law(arguments.law)
    if arguments.pilot:
        from lawcheck.judging.pilot import pilot_plan, pilot_text

        if arguments.arm or arguments.runs or arguments.seeds or arguments.hardware:
            raise InputError("plan: --pilot plans whole laws and all seeds; leave other options")
        planned = pilot_plan(law, arguments.pilot, planner)
        _print_json(planned) if arguments.json else print(pilot_text(planned))
        return
    accelerator = load_accelerator(arguments.hardware) if arguments.hardware else None
    found = plan_law(planner, law, arguments.arm, accelerator)
    if arguments.runs:
        print("\n".join(row["id"] for row in found["runs"]))
    elif arguments.json:
        _print_json(found)
    else:
        print(plan_text(found))


def run_doctor(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.pipeline.doctor import examine, refuse_missing, write_record

    planner, layout = _study(arguments)
    laws = [discovery.law(name) for name in arguments.law] if arguments.law else None
    checks = []
    for check in examine(
        planner,
        layout,
        laws,
        partition=arguments.partition,
        account=arguments.account,
        gpu=arguments.gpu,
    ):
        print(check.line, flush=True)
        checks.append(check)
    refuse_missing(checks)
    if arguments.record:
        write_record(Path(arguments.record), planner, checks)


def run_corpus(arguments: argparse.Namespace) -> None:
    from lawcheck.corpus.build import build_corpus
    from lawcheck.declare.worlds import data_folder
    from lawcheck.files.holding import held

    planner, layout = _study(arguments)
    if arguments.lock:
        from lawcheck.corpus.streamed import lock_sources

        print(lock_sources(planner.scale))
        return
    if arguments.report:
        if _print_counts(planner.scale, layout):
            return
        from lawcheck.corpus.decontaminate import report

        data = data_folder(planner.scale)
        if data is None:
            raise InputError(
                f"corpus report: scale {planner.scale.name!r} is generated, its splits cannot "
                f"share text; name a scale of real data such as slices"
            )
        for row in report(data):
            print("  ".join(f"{key} {value}" for key, value in row.items()))
        return
    what = f"corpus of scale {planner.scale.name!r}"
    with held(layout.root / ".corpus.lock", what, arguments.wait):
        manifest = build_corpus(planner.scale, layout.corpus, arguments.accept)
    for name, entry in sorted(manifest["files"].items()):
        print(f"{entry['rows']:>8}  {name}")


def _print_counts(scale: Any, layout: Layout) -> bool:
    """The tables of a streamed corpus, from its manifest; False for other worlds."""
    from lawcheck.declare.worlds import pinned_sources

    if pinned_sources(scale) is None:
        return False
    from lawcheck.corpus.build import check_corpus
    from lawcheck.corpus.sources.tables import count_table, removal_table
    from lawcheck.files.records import StreamedManifest, fitting

    where, step = str(layout.manifest), f"run: lawcheck corpus --scale {scale.name}"
    manifest = fitting(check_corpus(layout.corpus, scale), StreamedManifest, where, step)
    print("\n".join((*count_table(manifest), "", *removal_table(manifest))))
    return True


def run_mixtures(arguments: argparse.Namespace) -> None:
    from lawcheck.corpus.statistics import write_mixtures
    from lawcheck.declare import discovery

    planner, layout = _study(arguments)
    found = write_mixtures(planner.scale, discovery.laws(), layout)
    for label, entry in sorted(found["mixtures"].items()):
        print(f"{entry['distinct_share']:.6f}  {sum(entry['rows'].values()):>8}  {label}")


def run_base(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.stages import build_bases

    planner, layout = _study(arguments)
    scale = planner.scale
    if arguments.base not in scale.bases:
        raise InputError(
            f"scale {scale.name!r}: no base model {arguments.base!r}; "
            f"{nearest(arguments.base, scale.bases)}"
        )
    seeds = [arguments.seed] if arguments.seed is not None else list(planner.seeds)
    rebuild = arguments.rebuild or arguments.ship or arguments.compare
    built = build_bases(planner, layout, arguments.base, seeds, rebuild, arguments.wait)
    if not (arguments.ship or arguments.compare):
        return
    from lawcheck.planning.shipped import compare, ship
    from lawcheck.training.base.score import score_base

    scores = {s: score_base(folder, scale) for s, folder in built.items()}
    if arguments.ship:
        print(ship(scale, arguments.base, built, scores))
        return
    found = {s: compare(scale, arguments.base, s, built[s], scores[s]) for s in seeds}
    _print_json(found)
    if not all(entry["agrees"] for entry in found.values()):
        raise InputError(
            f"base {arguments.base!r}: a rebuilt base scores unlike the shipped one; "
            f"see the differences above"
        )


def _judged(names: Sequence[str], layout: Layout) -> list[Law]:
    """The laws named, or every law with a verdict in the results folder."""
    from lawcheck.declare import discovery

    found = names or [n for n in discovery.laws() if layout.verdict(n).is_file()]
    if not found:
        raise InputError(
            f"results {layout.root}: no judged law; run: snakemake --profile local all"
        )
    return [discovery.law(n) for n in found]


def run_publish(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.publish import publish

    _, layout = _study(arguments)
    print(publish(layout, _judged(arguments.laws, layout), Path(arguments.out)))


def run_audit(arguments: argparse.Namespace) -> None:
    from lawcheck.published.audit import write_audit

    for path in write_audit(Path(arguments.out)):
        print(path)


def run_train(arguments: argparse.Namespace) -> int:
    from lawcheck.corpus.build import check_corpus
    from lawcheck.declare import discovery
    from lawcheck.files.atomic import write_json
    from lawcheck.pipeline import stages
    from lawcheck.planning.plan import find_runs
    from lawcheck.training import launch
    from lawcheck.training.hardware import check_training

    planner, layout = _study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    hardware = planner.scale.hardware
    trained = [run for run in runs if discovery.trains_rows(run.arm)]
    check_training(planner.scale, trained)
    if arguments.scores and hardware.processes > 1:
        raise InputError(
            f"train --scores: scale {planner.scale.name!r} trains in {hardware.processes} "
            f"processes, and scoring takes one; run `lawcheck evaluate` afterwards"
        )
    if trained and hardware.processes > 1 and not launch.is_worker():
        check_corpus(layout.corpus, planner.scale)
        return launch.launch([sys.executable, "-m", "lawcheck", *arguments.command], hardware)
    launch.check_workers(hardware)
    merges = not trained and any(run.arm.has_weights for run in runs)
    if merges and hardware.nodes > 1 and launch.find_place(hardware, os.environ).node:
        # A merge is of one process; a cluster starts this command on every node.
        return 0
    record = stages.train(planner, layout, runs, arguments.wait)
    scores = stages.evaluate(planner, layout, runs) if arguments.scores else None
    # Together, at the end. Where an engine or a shell was killed and this job was not, the next
    # engine may have removed what had been written; of one file alone it would miss the other only
    # if something asked for it.
    if arguments.record and launch.rank() == 0:
        write_json(Path(arguments.record), record)
    if launch.is_worker():
        from lawcheck.training import sharding

        sharding.leave()
    if arguments.scores:
        write_json(Path(arguments.scores), scores)
    return 0


def run_evaluate(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.files.atomic import write_json
    from lawcheck.pipeline import stages
    from lawcheck.planning.plan import find_runs

    planner, layout = _study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    record = stages.evaluate(planner, layout, runs, arguments.split)
    if arguments.record:
        write_json(Path(arguments.record), record)


def run_collect(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.pipeline import stages

    planner, layout = _study(arguments)
    print(stages.collect(planner, layout, discovery.law(arguments.law)))


def run_judge(arguments: argparse.Namespace) -> int:
    from lawcheck.declare import discovery
    from lawcheck.declare.scale import load_scale
    from lawcheck.files.origin import record_path
    from lawcheck.judging.judged import judge_file
    from lawcheck.judging.verdict_forms import exit_code, text

    scale = load_scale(arguments.scale) if arguments.scale else None
    out = Path(arguments.json) if arguments.json else None
    law = discovery.law(arguments.law)
    for path in arguments.scores if scale else ():
        if Path(path).is_file() and not record_path(Path(path)).is_file():
            print(f"lawcheck: scores {path}: no record beside them, judged as is", file=sys.stderr)
    verdict = judge_file(law, arguments.scores, scale, out, arguments.looks)
    print(text(verdict), end="")
    return exit_code(verdict) if arguments.exit_code else 0


def run_import(arguments: argparse.Namespace) -> None:
    from lawcheck.judging.importing import import_scores, read_map, summary

    out = Path(arguments.out)
    found = import_scores(
        arguments.paths,
        out,
        mapping=read_map(arguments.map) if arguments.map else None,
        arm=arguments.arm,
        seeds=arguments.seed,
        partial=arguments.partial,
    )
    print(summary(found, out))


def run_render(arguments: argparse.Namespace) -> None:
    from lawcheck.show.judged import render_law

    planner, layout = _study(arguments)
    for law in _judged(arguments.laws, layout):
        for path in render_law(planner, layout, law, Path(arguments.figures)):
            print(path)


def run_report(arguments: argparse.Namespace) -> None:
    from lawcheck.declare.layout import Layout
    from lawcheck.show.page import write_report

    source = Path(arguments.source) if arguments.source else None
    named = os.path.basename(os.path.realpath(source)) if source else "proxy"
    arguments.scale = arguments.scale or named
    planner, layout = _study(arguments)
    if source:
        layout = Layout(source.parent, source.name)
    written = write_report(planner, layout, Path(arguments.out) if arguments.out else layout.report)
    for line in written.refused:
        print(f"lawcheck: left out of the report: {line}", file=sys.stderr)
    print(written.path)


def run_verify(arguments: argparse.Namespace) -> int:
    from lawcheck.pipeline.verify import text
    from lawcheck.pipeline.verify.published import Published, is_published
    from lawcheck.pipeline.verify.repair import next_steps, repair
    from lawcheck.pipeline.verify.walk import Walk

    planner, layout = _study(arguments)
    if not layout.root.is_dir():
        raise InputError(
            f"verify: no results of scale {planner.scale.name!r} in {layout.results}; name the "
            f"folder with --results"
        )
    published = is_published(layout)
    graph = Published(planner, layout) if published else Walk(planner, layout)
    faults = graph.faults()
    if arguments.json:
        _print_json(text.as_data(graph))
    else:
        print("\n".join([*text.tree(graph), *graph.notes, text.summary(graph)]))
    for node in faults:
        print(f"lawcheck: {one_line(node.line)}", file=sys.stderr)
    if not faults:
        return 0
    again = f"--scale {arguments.scale} --results {layout.results}"
    if published:
        raise InputError(f"verify {layout.root}: {len(faults)} faults in a published copy")
    if not arguments.repair:
        raise InputError(
            f"verify {layout.root}: {len(faults)} faults; run: lawcheck verify --repair {again}"
        )
    for path in repair(graph, layout):
        print(f"removed {path}")
    print("\n".join(next_steps(graph, layout, arguments.scale)))
    return 0


def run_preregister(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.judging.preregistration import preregister

    planner, _ = _study(arguments)
    law = discovery.law(arguments.law)
    print(preregister(law, planner.scale, Path(arguments.out), arguments.looks))


def run_tune(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.tuning import search

    planner, layout = _study(arguments)
    for line in search(planner, layout, arguments.method or None, Path(arguments.out)):
        print(line, flush=True)


def run_tasks(arguments: argparse.Namespace) -> None:
    from lawcheck.evaluation.benchmarks import local

    if arguments.scores:
        from lawcheck.declare import discovery
        from lawcheck.evaluation.benchmarks.means import means_text, task_means
        from lawcheck.scores import load_scores

        table = load_scores(arguments.scores)
        print(means_text(task_means(table, discovery.disciplines().values(), local.WORLD)))
    elif arguments.data and arguments.out:
        names = local.write_tasks(Path(arguments.data), Path(arguments.out))
        print(f"lm_eval run --include_path {arguments.out} --tasks {','.join(names)}")
    elif arguments.out:
        raise InputError("tasks: --out without --data; name the folder of the released files")
    elif arguments.data or arguments.list:
        rows = local.report(Path(arguments.data)) if arguments.data else local.declared_tasks()
        for row in rows:
            print("  ".join(f"{key} {value}" for key, value in row.items()))
    else:
        print(local.task_folder())


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))
