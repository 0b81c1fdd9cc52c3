"""The verdict on a law."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lawcheck.cli.options import add_law

ORDER = 100
GROUP = "judge"
SCORES = ("scores",)
EXAMPLES = (
    "lawcheck judge ours_wins --laws laws --scores scores.csv",
    "lawcheck judge laws/ours_wins.py --scores - < scores.csv",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    parser.add_argument("--scale", help="the scale the scores come from (none: your own scores)")
    parser.add_argument(
        "--scores",
        required=True,
        action="append",
        help="CSV, Parquet, or what `import` reads (repeatable)",
    )
    parser.add_argument("--map", metavar="FILE", help="mapping of your own scores, as of `import`")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the verdict here; print it"
    )
    parser.add_argument(
        "--looks",
        type=int,
        help="planned looks at growing data (5 seeds, then 10: 2); as preregistered, else 1",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="0 HOLDS, 3 NOT TESTED, NOT SHOWN or INCONCLUSIVE, 4 CONTRADICTED",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="without what stands beside a verdict: probabilities, other choices, sizes, power",
    )


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.declare import discovery
    from lawcheck.files.origin import record_path
    from lawcheck.judging.judged import judge_file
    from lawcheck.judging.verdict_forms import exit_code, text, verdict_json

    scale = None
    if arguments.scale:
        from lawcheck.declare.scale import load_scale  # slow to import
        from lawcheck.planning.controls import law_at

        scale = load_scale(arguments.scale)
    as_json = arguments.json == "-"
    out = Path(arguments.json) if arguments.json and not as_json else None
    law = law_at(arguments.law, scale) if scale else discovery.law(arguments.law)
    for path in arguments.scores if scale else ():
        if Path(path).is_file() and not record_path(Path(path)).is_file():
            print(f"lawcheck: scores {path}: no record beside them, judged as is", file=sys.stderr)
    mapping = None
    if arguments.map:
        from lawcheck.judging.importing import read_map

        mapping = read_map(arguments.map)
    verdict = judge_file(
        law,
        arguments.scores,
        scale,
        out,
        arguments.looks,
        quick=arguments.quick,
        mapping=mapping,
    )
    sys.stdout.write(verdict_json(verdict).decode() if as_json else text(verdict))
    return exit_code(verdict) if arguments.exit_code else 0
