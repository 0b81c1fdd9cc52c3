"""Search learning rates on the tuning split."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_study, study
from lawcheck.errors import InputError

ORDER = 180
GROUP = "study"
EXAMPLES = (
    "lawcheck tune --scale proxy --method lora",
    "lawcheck tune --scale proxy2 --designs --bases 3",
    "lawcheck tune --scale smollm2 --method full --rates 1e-5,3e-5,1e-4 --share 0.1",
)
NEEDS = ("torch", "lm_eval")


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    parser.add_argument("--method", action="append", help="this method only (repeatable)")
    parser.add_argument("--law", action="append", help="on arms of this law (all of the scale)")
    parser.add_argument("--rates", help="values to try, such as 1e-4,3e-4 (five by the method)")
    parser.add_argument("--designs", action="store_true", help="a rate for each design of arms")
    parser.add_argument("--bases", type=int, default=1, help="extra base models (1)")
    parser.add_argument("--share", type=float, default=1.0, help="train on this share of the rows")
    parser.add_argument("--out", default="reproduce/tuning", help="folder of the search record")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.declare.worlds import scale_laws
    from lawcheck.pipeline.tuning import search

    planner, layout = study(arguments)
    laws = [discovery.law(name) for name in arguments.law or scale_laws(planner.scale)]
    chosen, out = arguments.method or None, Path(arguments.out)
    rates = None if arguments.rates is None else _rates(arguments.rates)
    lines = search(
        planner,
        layout,
        laws,
        chosen,
        out,
        rates,
        arguments.share,
        designs=arguments.designs,
        bases=arguments.bases,
    )
    for line in lines:
        print(line, flush=True)


def _rates(text: str) -> tuple[float, ...]:
    try:
        found = tuple(sorted({float(word) for word in text.split(",")}))
    except ValueError:
        found = ()
    if not found or not all(0 < rate < 1 for rate in found):
        raise InputError(f"tune: --rates is {text!r}, expected numbers in (0, 1) such as 1e-4,3e-4")
    return found
