"""A law's contrasts along the learning rate, from the records of `tune`."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_law
from lawcheck.errors import InputError

ORDER = 185
GROUP = "study"
EXAMPLES = (
    "lawcheck rates optimize_then_scale --scale proxy2",
    "lawcheck rates share_then_specialize --scale proxy2 --figure rates.pdf",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    parser.add_argument("--scale", required=True, help="whose rates were searched")
    parser.add_argument("--records", default="reproduce/tuning", help="folder of search records")
    parser.add_argument("--figure", metavar="FILE", help="draw them: .png or .pdf")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.declare.scale import load_scale
    from lawcheck.files.atomic import atomic_file
    from lawcheck.show.rates import build, rate_curves, rates_text
    from lawcheck.show.style import figure_bytes

    figure = Path(arguments.figure) if arguments.figure else None
    if figure is not None and figure.suffix.lower() not in (".png", ".pdf"):
        raise InputError(f"figure {figure}: expected .png or .pdf; name such a file")
    law = discovery.law(arguments.law)
    curves = rate_curves(law, load_scale(arguments.scale), Path(arguments.records))
    if figure is not None:
        drawn = figure_bytes(build, law, curves)
        with atomic_file(figure) as part:
            part.write_bytes(drawn[figure.suffix.lower().removeprefix(".")])
    print(rates_text(curves), end="")
