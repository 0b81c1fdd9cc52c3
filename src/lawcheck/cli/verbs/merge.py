"""Merge two models of one architecture, layer by layer, into a new folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal

ORDER = 97
GROUP = "judge"
EXAMPLES = (
    "lawcheck merge instruct tuned --out merged",
    "lawcheck merge instruct tuned --schedule flat --lerp --out twin",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="model folder at t = 0, such as the instruct")
    parser.add_argument("second", metavar="B", help="model folder at t = 1, such as the tuned")
    parser.add_argument(
        "--schedule",
        default="reference",
        metavar="NAME",
        help="reference, linear, linear_same, flat, reversed, attention_only, mlp_only, or a YAML "
        "file (reference)",
    )
    parser.add_argument("--lerp", action="store_true", help="the line instead of the arc (SLERP)")
    parser.add_argument("--out", required=True, metavar="DIR", help="new folder of the merge")
    parser.add_argument("--json", action="store_true", help="print the merge's record")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.files.atomic import json_text
    from lawcheck.methods.merge_folders import merge_folders, summary

    method: Literal["slerp", "lerp"] = "lerp" if arguments.lerp else "slerp"
    first, second, out = (Path(p) for p in (arguments.first, arguments.second, arguments.out))
    found, notes = merge_folders(first, second, out, arguments.schedule, method)
    if arguments.json:
        sys.stdout.write(json_text(found))
        return
    print(f"{method} of {first} (t = 0) and {second} (t = 1), schedule {found['schedule']['name']}")
    for line in summary(found):
        print(f"  {line}")
    for note in notes:
        print(f"  note: {note}")
    print(f"  -> {out}")
