"""A law in words: claim, parts, margins, checks, arms.

What it claims, what each part measures, where each outcome begins, what is asked of the scores.
"""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_law, print_json

ORDER = 15
GROUP = "inspect"
EXAMPLES = ("lawcheck show share_then_specialize", "lawcheck show laws/ours_wins.py --json")


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    parser.add_argument("--json", action="store_true", help="all of it as JSON")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.cli.describing import law_data, law_text
    from lawcheck.declare import discovery

    found = law_data(discovery.law(arguments.law))
    if arguments.json:
        print_json(found)
    else:
        print(law_text(found))
