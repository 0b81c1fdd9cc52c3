"""One law over several studies: random-effects means with prediction intervals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lawcheck.cli.options import add_law, print_json
from lawcheck.errors import InputError

if TYPE_CHECKING:
    from lawcheck.declare.design import Verdict

ORDER = 115
GROUP = "judge"
EXAMPLES = (
    "lawcheck replicate variability results/*/laws/variability.json",
    "lawcheck replicate ours_wins a.json b.json --laws laws --figure ours.pdf",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    parser.add_argument("verdicts", nargs="+", metavar="FILE", help="as `judge --json` writes it")
    parser.add_argument("--figure", metavar="FILE", help="write the forest plot: .png or .pdf")
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.declare import discovery
    from lawcheck.declare.design import plain
    from lawcheck.declare.results import rounded
    from lawcheck.files.atomic import atomic_file
    from lawcheck.judging.replication import in_print, replicate, replication_text
    from lawcheck.show.printed import rows_of

    figure = Path(arguments.figure) if arguments.figure else None
    if figure is not None and figure.suffix.lower() not in (".png", ".pdf"):
        raise InputError(f"figure {figure}: expected .png or .pdf; name such a file")
    law = discovery.law(arguments.law)
    printed = rows_of(law)
    parts = replicate(
        law, _studies(arguments.verdicts), in_print(law, printed) if printed is not None else None
    )
    if figure is not None:
        from lawcheck.show.replication import build
        from lawcheck.show.style import figure_bytes

        drawn = figure_bytes(build, law, parts)
        with atomic_file(figure) as part:
            part.write_bytes(drawn[figure.suffix.lower().removeprefix(".")])
    if arguments.json:
        print_json(rounded(plain(parts)))
    else:
        print(replication_text(law, parts), end="")


def _studies(paths: list[str]) -> dict[str, Verdict]:
    """By the scale of each; by its path where several have one, or it has none."""
    from lawcheck.judging.verdict_forms import read_verdict

    read = {path: read_verdict(path) for path in dict.fromkeys(paths)}
    scales = [v.scale for v in read.values()]
    return {
        v.scale if v.scale and scales.count(v.scale) == 1 else path: v for path, v in read.items()
    }
