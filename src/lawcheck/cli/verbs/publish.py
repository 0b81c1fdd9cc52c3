"""Copy scores, verdicts and tables to tracked folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_laws, add_study, judged, study

ORDER = 140
GROUP = "publish"
EXAMPLES = ("lawcheck publish --scale proxy --out results/reference",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_laws(parser)
    parser.add_argument("--out", default="results/reference")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.publish import publish

    planner, layout = study(arguments)
    print(publish(layout, judged(arguments.laws, planner, layout), Path(arguments.out)))
