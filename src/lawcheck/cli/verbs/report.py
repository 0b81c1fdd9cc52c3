"""One HTML page about the judged laws of a scale."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lawcheck.cli.options import add_results, study

ORDER = 130
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck report --scale proxy",
    "lawcheck report --from results/reference/proxy",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", help="name or YAML file (that of --from, else proxy)")
    add_results(parser)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER",
        help="a scale's folder with laws/ in it, such as results/reference/proxy",
    )
    parser.add_argument("--out", help="folder of index.html (report/ beside the verdicts)")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare.layout import Layout
    from lawcheck.show.page import write_report

    source = Path(arguments.source) if arguments.source else None
    named = os.path.basename(os.path.realpath(source)) if source else "proxy"
    arguments.scale = arguments.scale or named
    planner, layout = study(arguments)
    if source:
        layout = Layout(source.parent, source.name)
    written = write_report(planner, layout, Path(arguments.out) if arguments.out else layout.report)
    for line in written.refused:
        print(f"lawcheck: left out of the report: {line}", file=sys.stderr)
    print(written.path)
