"""A starter project: law, mapping, pytest test, CI.

For somebody who brings results. The commands that it prints run as they stand, on an example or,
with --from, on a table of your own, whose arms and tasks the law then names. Nothing is
overwritten.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ORDER = 5
GROUP = "judge"
EXAMPLES = (
    "lawcheck init my_law",
    "lawcheck init my_law --from scores.csv --ours dora --theirs lora",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="(here)")
    parser.add_argument("--name", dest="called", help="of the law (OURS_beats_THEIRS)")
    parser.add_argument("--ours", metavar="ARM", help="what is claimed to be better (ours)")
    parser.add_argument("--theirs", metavar="ARM", help="what it is compared with (theirs)")
    parser.add_argument(
        "--from", dest="source", metavar="SCORES", help="a table of your scores: its arms and tasks"
    )


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.cli.starter import chosen, next_text, read_source, write_project

    folder = Path(arguments.folder)
    ours, theirs, source = arguments.ours, arguments.theirs, None
    if arguments.source:
        source = read_source(Path(arguments.source), folder)
        ours, theirs = chosen(source, ours, theirs)
    written, commands = write_project(
        folder, arguments.called, ours or "ours", theirs or "theirs", source
    )
    print(next_text(folder, written, commands))
