"""One HTML page: about the judged laws of a scale, or about your own scores."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lawcheck.cli.options import add_results, study
from lawcheck.errors import InputError

ORDER = 130
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck report --scale proxy",
    "lawcheck report --from results/reference/proxy",
    "lawcheck report --scores mine.csv --law laws/ours_wins.py",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scores",
        action="append",
        metavar="FILE",
        help="your own scores, as `judge` takes them (repeatable): no study, no workflow",
    )
    parser.add_argument(
        "--law",
        action="append",
        default=[],
        metavar="LAW",
        help="with --scores: a law to judge (repeatable; every law whose arms have scores)",
    )
    parser.add_argument("--map", metavar="FILE", help="mapping of your own scores, as of `import`")
    parser.add_argument("--scale", help="name or YAML file (that of --from, else proxy)")
    add_results(parser)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER",
        help="a scale's folder with laws/ in it, such as results/reference/proxy",
    )
    parser.add_argument(
        "--out", help="folder of index.html (report/ beside the verdicts; report with --scores)"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.scores:
        _own(arguments)
        return
    from lawcheck.declare.layout import Layout
    from lawcheck.show.page import write_report

    if arguments.map:
        raise InputError("report: --map without --scores; it says how your own scores are read")
    if arguments.law:
        raise InputError(
            f"report: --law {arguments.law[0]} without --scores; name a score table with --scores, "
            f"or leave --law out"
        )
    source = Path(arguments.source) if arguments.source else None
    if source and not (source / "laws").is_dir():
        what = "no laws/ in it" if source.is_dir() else "no such folder"
        raise InputError(
            f"report --from {source}: {what}; name a scale's folder with laws/ in it, such as "
            f"results/proxy, or your own scores with --scores"
        )
    named = os.path.basename(os.path.realpath(source)) if source else "proxy"
    arguments.scale = arguments.scale or named
    planner, layout = study(arguments)
    if source:
        layout = Layout(source.parent, source.name)
    written = write_report(planner, layout, Path(arguments.out) if arguments.out else layout.report)
    for line in written.refused:
        print(f"lawcheck: left out of the report: {line}", file=sys.stderr)
    print(written.path)


def _own(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.show.page import write_own_report

    if arguments.source or arguments.scale:
        word = "--from" if arguments.source else "--scale"
        raise InputError(
            f"report: {word} beside --scores; --scores is for your own results, {word} for those "
            f"of a scale: leave one out"
        )
    laws = {discovery.word_of(name): discovery.law(name) for name in arguments.law}
    scores = [Path(path) for path in arguments.scores]
    mapping = Path(arguments.map) if arguments.map else None
    print(write_own_report(laws, scores, Path(arguments.out or "report"), mapping))
