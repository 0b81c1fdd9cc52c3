"""Record the digest of a law's design."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_law, add_study, study

ORDER = 160
GROUP = "publish"
EXAMPLES = (
    "lawcheck preregister ours_wins --own",
    "lawcheck preregister share_then_specialize --looks 2",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    add_study(parser)
    parser.add_argument(
        "--own", action="store_true", help="for scores of your own: the design alone, no scale"
    )
    parser.add_argument("--out", default="reproduce/preregistered")
    parser.add_argument(
        "--looks",
        type=int,
        default=1,
        help="planned looks at growing data, equally spaced (1)",
    )
    parser.add_argument(
        "--at",
        metavar="SEEDS",
        help="planned looks by their seeds, such as 3,5: unequal steps",
    )


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.judging.looks import Looks
    from lawcheck.judging.preregistration import preregister
    from lawcheck.pipeline.workflow import parse_seeds
    from lawcheck.planning.controls import law_at

    planner, layout = study(arguments)
    law = law_at(arguments.law, planner.scale)
    looks = Looks.planned(arguments.looks)
    if arguments.at:
        seeds = parse_seeds(arguments.at.split(","), planner.scale)
        looks = Looks(tuple(n / seeds[-1] for n in seeds))
    scale = None if arguments.own else planner.scale
    judged = [str(p) for p in [layout.verdict(law.name)] if scale and p.is_file()]
    print(preregister(law, scale, Path(arguments.out), looks, judged))
