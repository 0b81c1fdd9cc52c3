"""Whether a merge beats both of the models that it is made of."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_verdict, written
from lawcheck.errors import InputError

ORDER = 96
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck synergy merged.csv tuned.csv instruct.csv --margin 2",
    "lawcheck synergy scores.csv --arms merged tuned instruct",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scores",
        nargs="+",
        metavar="SCORES",
        help="of the merge, the tuned parent and the other, in this order; with --arms any files. "
        "CSV, Parquet, or what `import` reads",
    )
    parser.add_argument(
        "--arms",
        nargs=3,
        metavar=("MERGED", "TUNED", "OTHER"),
        help="the three, by name; needed where a file holds several arms",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="smallest difference that matters (1)",
    )
    parser.add_argument(
        "--task", action="append", metavar="TASK", help="average these tasks only (repeatable)"
    )
    parser.add_argument("--map", metavar="FILE", help="mapping, as of `import`")
    add_verdict(parser)


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.judging.comparing import compared
    from lawcheck.judging.reading import read_scores
    from lawcheck.judging.synergy import synergy
    from lawcheck.judging.verdict_forms import text

    mapping = None
    if arguments.map:
        from lawcheck.judging.importing import read_map

        mapping = read_map(arguments.map)
    arms = arguments.arms
    if arms is None:
        if len(arguments.scores) != 3:
            raise InputError(
                f"synergy: {len(arguments.scores)} files of scores, expected those of the merge, "
                f"of the tuned model and of the other; or name the three with --arms"
            )
        arms = []
        for path in arguments.scores:
            found = read_scores(path, mapping)[0].arms
            if len(found) != 1:
                raise InputError(
                    f"synergy: {path} holds arms {', '.join(found)}, expected one; name the three "
                    f"with --arms MERGED TUNED OTHER"
                )
            arms += found
        if len(set(arms)) < len(arms):
            raise InputError(
                f"synergy: the arms of the three files are called {', '.join(arms)}; give each "
                f"model its own name in column arm"
            )
    scores, notes = read_scores(arguments.scores, mapping)
    merged, tuned, other = arms
    law, more = synergy(scores, merged, tuned, other, arguments.margin, arguments.task)
    verdict = compared(law, scores, [*more, *notes], arguments.quick)
    return written(verdict, text(verdict), arguments)
