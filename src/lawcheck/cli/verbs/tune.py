"""Search learning rates on the tuning split."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_study, study

ORDER = 180
GROUP = "study"
EXAMPLES = ("lawcheck tune --scale proxy --method lora",)
NEEDS = ("torch", "lm_eval")


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    parser.add_argument("--method", action="append", help="this method only (repeatable)")
    parser.add_argument("--law", action="append", help="on arms of this law (all of the scale)")
    parser.add_argument("--out", default="reproduce/tuning", help="folder of the search record")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.declare.worlds import scale_laws
    from lawcheck.pipeline.tuning import search

    planner, layout = study(arguments)
    laws = [discovery.law(name) for name in arguments.law or scale_laws(planner.scale)]
    for line in search(planner, layout, laws, arguments.method or None, Path(arguments.out)):
        print(line, flush=True)
