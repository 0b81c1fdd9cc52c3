"""Whether one arm of your scores beats another, without a law file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lawcheck.cli.options import add_verdict, written
from lawcheck.errors import InputError

if TYPE_CHECKING:
    from lawcheck.declare.design import Law, Verdict
    from lawcheck.scores import ScoreTable

ORDER = 95
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck compare scores.csv ours theirs --margin 2",
    "lawcheck compare scores.csv ours theirs --equivalent 1 --base base",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scores", nargs="+", metavar="SCORES", help="CSV, Parquet, or what `import` reads"
    )
    parser.add_argument("ours", metavar="OURS", help="arm that should score higher")
    parser.add_argument("theirs", metavar="THEIRS", help="arm to compare it with")
    parser.add_argument(
        "--margin",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="smallest difference that matters (1)",
    )
    parser.add_argument(
        "--equivalent",
        type=float,
        metavar="POINTS",
        help="judge whether both agree to within so many points",
    )
    parser.add_argument(
        "--task", action="append", metavar="TASK", help="average these tasks only (repeatable)"
    )
    parser.add_argument("--base", metavar="ARM", help="untrained arm that equal arms have to beat")
    parser.add_argument("--map", metavar="FILE", help="mapping, as of `import`")
    parser.add_argument("--figure", metavar="FILE", help="write the forest plot: .png or .pdf")
    add_verdict(parser)


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.judging.comparing import compared, comparison, comparison_text
    from lawcheck.judging.reading import read_scores

    figure = Path(arguments.figure) if arguments.figure else None
    if figure is not None and figure.suffix.lower() not in (".png", ".pdf"):
        raise InputError(f"figure {figure}: expected .png or .pdf; name such a file")
    mapping = None
    if arguments.map:
        from lawcheck.judging.importing import read_map

        mapping = read_map(arguments.map)
    scores, notes = read_scores(arguments.scores, mapping)
    law, more = comparison(
        scores,
        arguments.ours,
        arguments.theirs,
        arguments.margin,
        arguments.equivalent,
        arguments.task,
        arguments.base,
    )
    verdict = compared(law, scores, [*notes, *more], arguments.quick)
    from lawcheck.files.atomic import atomic_file

    if figure is not None:
        drawn = _drawn(law, scores, verdict, figure)
        with atomic_file(figure) as part:
            part.write_bytes(drawn)
    return written(verdict, comparison_text(law, verdict), arguments)


def _drawn(law: Law, scores: ScoreTable, verdict: Verdict, figure: Path) -> bytes:
    """Matplotlib takes a second, which a verdict does not wait for."""
    from lawcheck.show.context import RenderContext
    from lawcheck.show.figures import hypotheses
    from lawcheck.show.style import figure_bytes

    context = RenderContext(
        law=law, scores=scores, verdict=verdict, disciplines=(), world="", scale_name=""
    )
    return figure_bytes(hypotheses.build, context)[figure.suffix.lower().removeprefix(".")]
