"""Your own results into a score table."""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.errors import InputError

ORDER = 110
GROUP = "judge"
EXAMPLES = (
    "lawcheck import evals --out scores.parquet",
    "lawcheck import runs.csv --map map.yaml --out scores.parquet",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="output of lm-eval, inspect_ai or lighteval; a CSV, TSV or Parquet table",
    )
    parser.add_argument("--out", required=True, help="Parquet file to write")
    parser.add_argument(
        "--map", help="YAML: runs, tasks, metrics, columns, differ (docs/import.md)"
    )
    parser.add_argument("--arm", help="arm of everything that is read")
    parser.add_argument("--seed", type=int, action="append", help="its seed (repeatable)")
    parser.add_argument("--partial", action="store_true", help="leave out runs without arm or seed")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.judging.importing import import_scores, read_map, summary

    out = Path(arguments.out)
    if out.suffix.lower() in (".csv", ".tsv", ".txt", ".json"):
        raise InputError(f"import: --out {out}: a score table is Parquet; name a .parquet file")
    found = import_scores(
        arguments.paths,
        out,
        mapping=read_map(arguments.map) if arguments.map else None,
        arm=arguments.arm,
        seeds=arguments.seed,
        partial=arguments.partial,
    )
    print(summary(found, out))
