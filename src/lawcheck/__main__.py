"""The command line: thin verbs over the stages. Exit 2 = bad input, one line, no traceback."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.errors import InputError, nearest

if TYPE_CHECKING:
    from lawcheck.design import Law
    from lawcheck.layout import Layout
    from lawcheck.plan import Planner

SEED_IN_ID = re.compile(r"-s(\d+)-[0-9a-f]{12}\Z")


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    arguments.command = list(sys.argv[1:] if argv is None else argv)
    _set_environment()
    try:
        return int(arguments.verb(arguments) or 0)
    except InputError as error:
        print(f"lawcheck: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of a pipe left early; that is its right.
        sys.stderr.close()
        return 0


def _set_environment() -> None:
    """One compute thread per process, no hub, caches inside the project; the user's own wins."""
    cache = Path.cwd() / ".cache"
    defaults = {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HOME": str(cache / "huggingface"),
        "TORCH_EXTENSIONS_DIR": str(cache / "torch_extensions"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _quieten(scale: Any) -> None:
    """Worlds that are built here never ask a hub; CPU scales never look for an accelerator."""
    if scale.hardware.device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if all(base.kind == "built" for base in scale.bases.values()):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def _study(arguments: argparse.Namespace, runs: Sequence[str] = ()) -> tuple[Planner, Layout]:
    """Planner and layout; seeds come from --seeds, else from the run ids, else from the scale."""
    from lawcheck.layout import Layout
    from lawcheck.plan import Planner
    from lawcheck.scale import load_scale
    from lawcheck.workflow import parse_seeds

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


# ------------------------------------------------------------------------------- verbs


def _list(arguments: argparse.Namespace) -> None:
    from lawcheck.listing import listing, listing_text

    found = listing()
    if arguments.names:
        print("\n".join(law["name"] for law in found["laws"]))
    elif arguments.json:
        _print_json(found)
    else:
        print(listing_text(found))


def _plan(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery
    from lawcheck.accelerators import load_accelerator
    from lawcheck.planning import plan_law, plan_text

    planner, _ = _study(arguments)
    law = discovery.law(arguments.law)
    if arguments.pilot:
        from lawcheck.pilot import pilot_plan, pilot_text

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


def _doctor(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery
    from lawcheck.doctor import examine, refuse_missing, write_record

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


def _corpus(arguments: argparse.Namespace) -> None:
    from lawcheck.corpus.build import build_corpus
    from lawcheck.plan import data_folder

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
    manifest = build_corpus(planner.scale, layout.corpus, arguments.accept)
    for name, entry in sorted(manifest["files"].items()):
        print(f"{entry['rows']:>8}  {name}")


def _print_counts(scale: Any, layout: Layout) -> bool:
    """The tables of a streamed corpus, from its manifest; False for other worlds."""
    from lawcheck.plan import pinned_sources

    if pinned_sources(scale) is None:
        return False
    from lawcheck.corpus.build import check_corpus
    from lawcheck.corpus.sources.tables import count_table, removal_table

    manifest = check_corpus(layout.corpus, scale)
    print("\n".join((*count_table(manifest), "", *removal_table(manifest))))
    return True


def _mixtures(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery
    from lawcheck.corpus.statistics import write_mixtures

    planner, layout = _study(arguments)
    found = write_mixtures(planner.scale, discovery.laws(), layout)
    for label, entry in sorted(found["mixtures"].items()):
        print(f"{entry['distinct_share']:.6f}  {sum(entry['rows'].values()):>8}  {label}")


def _base(arguments: argparse.Namespace) -> None:
    from lawcheck.stages import build_bases

    planner, layout = _study(arguments)
    scale = planner.scale
    if arguments.base not in scale.bases:
        raise InputError(
            f"scale {scale.name!r}: no base model {arguments.base!r}; "
            f"{nearest(arguments.base, scale.bases)}"
        )
    seeds = [arguments.seed] if arguments.seed is not None else list(planner.seeds)
    rebuild = arguments.rebuild or arguments.ship or arguments.compare
    built = build_bases(planner, layout, arguments.base, seeds, rebuild)
    if not (arguments.ship or arguments.compare):
        return
    from lawcheck.base.score import score_base
    from lawcheck.base.shipped import compare, ship

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
    from lawcheck import discovery

    found = names or [n for n in discovery.laws() if layout.verdict(n).is_file()]
    if not found:
        raise InputError(
            f"results {layout.root}: no judged law; run: snakemake --profile local all"
        )
    return [discovery.law(n) for n in found]


def _publish(arguments: argparse.Namespace) -> None:
    from lawcheck.publish import publish

    _, layout = _study(arguments)
    print(publish(layout, _judged(arguments.laws, layout), Path(arguments.out)))


def _audit(arguments: argparse.Namespace) -> None:
    from lawcheck.published.audit import write_audit

    for path in write_audit(Path(arguments.out)):
        print(path)


def _train(arguments: argparse.Namespace) -> int:
    from lawcheck import discovery, launch, stages
    from lawcheck.atomic import write_json
    from lawcheck.corpus.build import check_corpus
    from lawcheck.hardware import check_training
    from lawcheck.plan import find_runs

    planner, layout = _study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    hardware = planner.scale.hardware
    trained = [run for run in runs if run.arm.recipe is not None]
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
    record = stages.train(planner, layout, runs)
    if arguments.record and launch.rank() == 0:
        write_json(Path(arguments.record), record)
    if launch.is_worker():
        from lawcheck.training import sharding

        sharding.leave()
    if arguments.scores:
        write_json(Path(arguments.scores), stages.evaluate(planner, layout, runs))
    return 0


def _evaluate(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery, stages
    from lawcheck.atomic import write_json
    from lawcheck.plan import find_runs

    planner, layout = _study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    record = stages.evaluate(planner, layout, runs, arguments.split)
    if arguments.record:
        write_json(Path(arguments.record), record)


def _collect(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery, stages

    planner, layout = _study(arguments)
    print(stages.collect(planner, layout, discovery.law(arguments.law)))


def _judge(arguments: argparse.Namespace) -> int:
    from lawcheck import discovery
    from lawcheck.judging import judge_file
    from lawcheck.scale import load_scale
    from lawcheck.verdict_forms import exit_code, text

    scale = load_scale(arguments.scale) if arguments.scale else None
    out = Path(arguments.json) if arguments.json else None
    law = discovery.law(arguments.law)
    verdict = judge_file(law, arguments.scores, scale, out, arguments.looks)
    print(text(verdict), end="")
    return exit_code(verdict) if arguments.exit_code else 0


def _import(arguments: argparse.Namespace) -> None:
    from lawcheck.importing import import_scores, read_map, summary

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


def _render(arguments: argparse.Namespace) -> None:
    from lawcheck.judging import render_law

    planner, layout = _study(arguments)
    for law in _judged(arguments.laws, layout):
        for path in render_law(planner, layout, law, Path(arguments.figures)):
            print(path)


def _report(arguments: argparse.Namespace) -> None:
    from lawcheck.layout import Layout
    from lawcheck.report import write_report

    source = Path(arguments.source) if arguments.source else None
    arguments.scale = arguments.scale or (source.resolve().name if source else "proxy")
    planner, layout = _study(arguments)
    if source:
        layout = Layout(source.parent, source.name)
    written = write_report(planner, layout, Path(arguments.out) if arguments.out else layout.report)
    for line in written.refused:
        print(f"lawcheck: left out of the report: {line}", file=sys.stderr)
    print(written.path)


def _preregister(arguments: argparse.Namespace) -> None:
    from lawcheck import discovery
    from lawcheck.preregistration import preregister

    planner, _ = _study(arguments)
    law = discovery.law(arguments.law)
    print(preregister(law, planner.scale, Path(arguments.out), arguments.looks))


def _tune(arguments: argparse.Namespace) -> None:
    from lawcheck.tuning import search

    planner, layout = _study(arguments)
    for line in search(planner, layout, arguments.method or None, Path(arguments.out)):
        print(line, flush=True)


def _tasks(arguments: argparse.Namespace) -> None:
    from lawcheck.benchmarks import local

    if arguments.scores:
        from lawcheck import discovery
        from lawcheck.benchmarks.means import means_text, task_means
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


# ------------------------------------------------------------------------------- parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lawcheck", description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, text: str, *, law: bool = False, study: bool = True) -> Any:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(verb=run)
        if law:
            sub.add_argument("law", metavar="LAW", help="with or without the prefix law_")
        if study:
            sub.add_argument("--scale", default="proxy", help="name or YAML file (proxy)")
            sub.add_argument("--results", default="results", help="results folder (results)")
            sub.add_argument("--seeds", help="a count, or a list such as 0,1,2 (the scale's)")
        return sub

    sub = verb("list", _list, "laws, methods, disciplines and scales", study=False)
    sub.add_argument("--names", action="store_true", help="names of laws only")
    sub.add_argument("--json", action="store_true")

    sub = verb("plan", _plan, "runs, tokens and cost of a law", law=True)
    sub.add_argument("--arm", help="this arm only")
    sub.add_argument("--runs", action="store_true", help="print run ids only")
    sub.add_argument(
        "--hardware",
        metavar="NAME",
        help="a800, h100, h200 or a YAML file: plan hours and memory on it",
    )
    sub.add_argument(
        "--pilot", action="append", metavar="SCORES", help="seeds needed, from a pilot's scores"
    )
    sub.add_argument("--json", action="store_true")

    sub = verb("doctor", _doctor, "what is missing for a scale, one line a check")
    sub.add_argument("--law", action="append", help="room for this law's runs (repeatable; all)")
    sub.add_argument("--partition", default="", help="Slurm partition that jobs will use")
    sub.add_argument("--account", default="", help="Slurm account that jobs will use")
    sub.add_argument("--gpu", default="", help="accelerator type as Slurm names it, such as h100")
    sub.add_argument("--record", help="JSON file written where nothing is missing")

    sub = verb("corpus", _corpus, "write the scale's corpus")
    sub.add_argument(
        "--report", action="store_true", help="text shared between training and evaluation"
    )
    sub.add_argument(
        "--lock", action="store_true", help="fetch and pin public data sets (sources.lock.yaml)"
    )
    sub.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="SET",
        help="accept this data set's row count although it is not the published one (repeatable)",
    )

    verb("mixtures", _mixtures, "statistics of the corpus and n-gram diversity of every mixture")

    sub = verb("base", _base, "build base models that are not shipped")
    sub.add_argument("--base", default="default")
    sub.add_argument("--seed", type=int, help="one seed (all of the scale's)")
    sub.add_argument("--rebuild", action="store_true", help="build even if one is there")
    sub.add_argument("--compare", action="store_true", help="rebuild, compare with the shipped")
    sub.add_argument("--ship", action="store_true", help="rebuild and replace the shipped")

    for name, run, text in (
        ("train", _train, "train runs"),
        ("evaluate", _evaluate, "score runs through lm-evaluation-harness"),
    ):
        sub = verb(name, run, text)
        sub.add_argument("runs", nargs="+", metavar="RUN")
        sub.add_argument("--record", help="JSON file written when all are done")
        if name == "evaluate":
            sub.add_argument("--split", choices=("eval", "tune"), default="eval")
        else:
            sub.add_argument(
                "--scores", help="score the runs in the same process; JSON file as --record"
            )

    verb("collect", _collect, "one score table for a law", law=True)

    sub = verb("judge", _judge, "the verdict on a law", law=True, study=False)
    sub.add_argument("--scale", help="the scale the scores come from (none: your own scores)")
    sub.add_argument("--scores", required=True, action="append", help="Parquet or CSV table")
    sub.add_argument("--json", help="write the verdict here")
    sub.add_argument(
        "--looks",
        type=int,
        help="planned looks at growing data (5 seeds, then 10: 2); as preregistered, else 1",
    )
    sub.add_argument(
        "--exit-code",
        action="store_true",
        help="0 HOLDS, 3 NOT SHOWN or INCONCLUSIVE, 4 CONTRADICTED",
    )

    sub = verb("import", _import, "your own results into a score table", study=False)
    sub.add_argument("paths", nargs="+", metavar="PATH", help="lm-eval output, CSV or Parquet")
    sub.add_argument("--out", required=True, help="Parquet file to write")
    sub.add_argument("--map", help="YAML: runs, tasks, metrics, columns (docs/your-own-results.md)")
    sub.add_argument("--arm", help="arm of everything that is read")
    sub.add_argument("--seed", type=int, action="append", help="its seed (repeatable)")
    sub.add_argument("--partial", action="store_true", help="leave out runs without arm or seed")

    sub = verb("render", _render, "tables and figures of judged laws, from their scores alone")
    sub.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")
    sub.add_argument("--figures", default="paper_figures")

    sub = verb("report", _report, "one HTML page about the judged laws of a scale", study=False)
    sub.add_argument("--scale", help="name or YAML file (that of --from, else proxy)")
    sub.add_argument("--results", default="results", help="results folder (results)")
    sub.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER",
        help="a scale's folder with laws/ in it, such as results/reference/proxy",
    )
    sub.add_argument("--out", help="folder of index.html (report/ beside the verdicts)")

    sub = verb("publish", _publish, "copy scores, verdicts and tables to tracked folders")
    sub.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")
    sub.add_argument("--out", default="results/reference")

    sub = verb("audit", _audit, "check the published tables", study=False)
    sub.add_argument("--out", default="results/audit", help="folder of findings and plots")

    sub = verb("preregister", _preregister, "record the digest of a law's design", law=True)
    sub.add_argument("--out", default="reproduce/preregistered")
    sub.add_argument("--looks", type=int, default=1, help="planned looks at growing data (1)")

    sub = verb("tune", _tune, "search learning rates on the tuning split")
    sub.add_argument("--method", action="append", help="this method only (repeatable)")
    sub.add_argument("--out", default="reproduce/tuning", help="folder of the search record")

    sub = verb("tasks", _tasks, "the folder for lm_eval --include_path", study=False)
    sub.add_argument("--list", action="store_true", help="the paper's tasks and their settings")
    sub.add_argument("--data", help="folder of released files: count items, copies, contradictions")
    sub.add_argument("--out", help="with --data: write task files over those files here")
    sub.add_argument(
        "--scores", action="append", help="score table: tasks apart, macro and micro mean"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
