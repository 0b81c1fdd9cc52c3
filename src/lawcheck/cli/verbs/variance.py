"""Variance of contrasts by base model and by training seed, at a scale that crosses them."""

from __future__ import annotations

import argparse
import dataclasses

from lawcheck.cli.options import add_law, print_json

ORDER = 145
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = ("lawcheck variance variability --scale proxy2_crossed --scores a.parquet",)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    parser.add_argument("--scale", required=True, help="a scale with seeds_per_base above 1")
    parser.add_argument(
        "--scores", required=True, action="append", help="CSV or Parquet (repeatable)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.declare.scale import load_scale
    from lawcheck.judging.crossed import crossed_file

    scale = load_scale(arguments.scale)
    found = crossed_file(discovery.law(arguments.law), scale, arguments.scores)
    if arguments.json:
        print_json([dataclasses.asdict(c) for c in found])
        return
    print("variances of one run's contrast; below 0 by chance")
    width = max(len(c.name) for c in found)
    print(f"{'part':{width}}  bases x seeds    mean    base  training     run   items")
    for c in found:
        shape = f"{c.bases} x {c.seeds}"
        print(
            f"{c.name:{width}}  {shape:>13}  {c.mean:6.2f}  {c.base:6.2f}  {c.training:8.2f}  "
            f"{c.run:6.2f}  {c.items:6.2f}"
        )
