"""Check the published tables."""

from __future__ import annotations

import argparse
from pathlib import Path

ORDER = 150
GROUP = "inspect"
EXAMPLES = ("lawcheck audit --out audit",)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="results/audit", help="folder of findings and plots")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.show.audit import write_audit

    for path in write_audit(Path(arguments.out)):
        print(path)
