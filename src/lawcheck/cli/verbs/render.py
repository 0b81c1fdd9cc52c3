"""Tables and figures of judged laws, from their scores alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_laws, add_study, judged, study

ORDER = 120
GROUP = "study"
EXAMPLES = ("lawcheck render share_then_specialize --scale proxy",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_laws(parser)
    parser.add_argument("--figures", default="paper_figures")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.show.judged import render_law

    planner, layout = study(arguments)
    for law in judged(arguments.laws, planner, layout):
        for path in render_law(planner, layout, law, Path(arguments.figures)):
            print(path)
