"""Which domains a base model emits when it is asked for nothing."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_study, add_wait, study

ORDER = 62
GROUP = "study"
EXAMPLES = ("lawcheck detect --scale versatune --base skew_a --seed 0",)
NEEDS = ("torch", "sklearn")


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_wait(parser)
    parser.add_argument("--base", default="default")
    parser.add_argument("--seed", type=int, help="one seed (all of the scale's)")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.stages import detect

    planner, layout = study(arguments)
    seeds = [arguments.seed] if arguments.seed is not None else planner.seeds
    for seed in seeds:
        found = detect(planner, layout, arguments.base, seed, arguments.wait)
        print(layout.knowledge(arguments.base, seed))
        for name, share in found["shares"].items():
            print(f"  {name:<12} {share:.4f}")
        distance = found["total_variation"]
        if distance is not None:
            print(f"  total variation to the shares of pretraining: {distance:.4f}")
