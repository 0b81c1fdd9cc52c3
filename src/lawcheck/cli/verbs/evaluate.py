"""Score runs through lm-evaluation-harness."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_runs, add_study, study

ORDER = 80
GROUP = "study"
EXAMPLES = ("lawcheck evaluate RUN... --scale smoke",)
NEEDS = ("torch", "lm_eval")


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_runs(parser)
    parser.add_argument("--split", choices=("eval", "tune"), default="eval")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.files.atomic import write_json
    from lawcheck.pipeline import stages
    from lawcheck.planning.plan import find_runs

    planner, layout = study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    record = stages.evaluate(planner, layout, runs, arguments.split)
    if arguments.record:
        write_json(Path(arguments.record), record)
