"""What is there: studies, laws, methods and so on.

What comes from outside and cannot be used is left out and named on stderr with its line.
"""

from __future__ import annotations

import argparse

from lawcheck.cli.options import print_json

ORDER = 10
GROUP = "inspect"
EXAMPLES = (
    "lawcheck list",
    "lawcheck list --names --laws laws",
    "lawcheck list --names --scale merging",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--names", action="store_true", help="names of laws only")
    parser.add_argument("--scale", help="with --names: the laws that target `all` of a scale runs")
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.errors import InputError

    if arguments.scale and not arguments.names:
        raise InputError(
            f"list: found --scale {arguments.scale} alone, expected it with --names; add --names"
        )
    if arguments.scale:
        from lawcheck.declare.scale import load_scale
        from lawcheck.declare.worlds import scale_laws

        print("\n".join(scale_laws(load_scale(arguments.scale))))
        return
    if arguments.names:
        print("\n".join(discovery.laws()))
        return
    from lawcheck.cli.listing import listing, listing_text

    found = listing()
    if arguments.json:
        print_json(found)
    else:
        print(listing_text(found))
