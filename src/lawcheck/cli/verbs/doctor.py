"""What is missing for a scale, one line a check."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_study, study

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
    parser.add_argument("--partition", default="", help="Slurm partition that jobs will use")
    parser.add_argument("--account", default="", help="Slurm account that jobs will use")
    parser.add_argument(
        "--gpu", default="", help="accelerator type as Slurm names it, such as h100"
    )
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
        partition=arguments.partition,
        account=arguments.account,
        gpu=arguments.gpu,
    ):
        print(check.line, flush=True)
        checks.append(check)
    refuse_missing(checks)
    if arguments.record:
        write_record(Path(arguments.record), planner, checks)
