"""Record the digest of a law's design."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_law, add_study, study

ORDER = 160


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    add_study(parser)
    parser.add_argument("--out", default="reproduce/preregistered")
    parser.add_argument("--looks", type=int, default=1, help="planned looks at growing data (1)")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.judging.preregistration import preregister

    planner, _ = study(arguments)
    law = discovery.law(arguments.law)
    print(preregister(law, planner.scale, Path(arguments.out), arguments.looks))
