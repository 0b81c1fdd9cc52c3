"""What is missing for a scale, one line a check."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_site, add_study, site, study

ORDER = 30
GROUP = "integrity"
EXAMPLES = (
    "lawcheck doctor --scale paper",
    "lawcheck doctor --scale paper --partition gpu --account mine",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    parser.add_argument(
        "--law", action="append", help="disk space for this law's runs (repeatable; all)"
    )
    add_site(parser)
    parser.add_argument("--record", help="JSON file written where nothing is missing")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.pipeline.doctor import examine, refuse_missing, write_record

    planner, layout = study(arguments)
    laws = [discovery.law(name) for name in arguments.law] if arguments.law else None
    checks = []
    for check in examine(
        planner,
        layout,
        laws,
        site=site(arguments),
        named=arguments.scale,
    ):
        print(check.line, flush=True)
        checks.append(check)
    refuse_missing(checks)
    if arguments.record:
        write_record(Path(arguments.record), planner, checks)
