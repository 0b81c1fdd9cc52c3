"""One score table for a law."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_law, add_study, study

ORDER = 90
GROUP = "study"
EXAMPLES = ("lawcheck collect share_then_specialize --scale smoke",)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    add_study(parser)


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline import stages
    from lawcheck.planning.controls import law_at

    planner, layout = study(arguments)
    print(stages.collect(planner, layout, law_at(arguments.law, planner.scale)))
