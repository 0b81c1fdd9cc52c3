"""The folder for lm_eval --include_path."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.errors import InputError

ORDER = 190
GROUP = "inspect"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck tasks --list",
    "lawcheck tasks --scores scores.parquet",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="the paper's tasks and their settings")
    parser.add_argument(
        "--data", help="folder of released files: count items, copies, contradictions"
    )
    parser.add_argument("--out", help="with --data: write task files over those files here")
    parser.add_argument(
        "--scores", action="append", help="score table: tasks apart, macro and micro mean"
    )


def run(arguments: argparse.Namespace) -> None:
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
