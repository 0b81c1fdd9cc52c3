"""Losses that a smaller model reaches on each domain, when it is trained on that domain alone."""

from __future__ import annotations

import argparse
import sys

from lawcheck.cli.options import add_study, add_wait, study

ORDER = 64
GROUP = "study"
EXAMPLES = ("lawcheck reference --scale versatune --base small --seed 0",)
NEEDS = ("torch",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_wait(parser)
    parser.add_argument("--base", required=True, help="the reference base, as the scale names it")
    parser.add_argument("--seed", type=int, help="one seed (all of the scale's)")


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.pipeline.stages import measure_reference
    from lawcheck.training import launch

    planner, layout = study(arguments)
    hardware = planner.scale.hardware
    if hardware.processes > 1 and not launch.is_worker():
        return launch.launch([sys.executable, "-m", "lawcheck", *arguments.command], hardware)
    launch.check_workers(hardware)
    seeds = [arguments.seed] if arguments.seed is not None else planner.seeds
    for seed in seeds:
        measure_reference(planner, layout, arguments.base, seed, arguments.wait)
        if launch.rank() == 0:
            print(layout.reference(arguments.base, seed))
    if launch.is_worker():
        from lawcheck.training import sharding

        sharding.leave()
    return 0
