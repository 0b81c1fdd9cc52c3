"""Controls of a scale, from scored runs: a file as of a verdict, a table and a figure.

Collects and judges what the target `controls` of the workflow trained and scored, and says which
passed. `lawcheck plan controls` counts its runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.cli.options import add_results, study

ORDER = 105
GROUP = "study"
EXAMPLES = ("lawcheck controls proxy", "lawcheck controls paper --list")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scale", metavar="SCALE", help="name or YAML file")
    add_results(parser)
    parser.add_argument("--seeds", help="a count, or a list such as 0,1,2 (the scale's)")
    parser.add_argument("--figures", default="paper_figures")
    parser.add_argument("--list", action="store_true", help="what they ask, and what is left out")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.planning.controls import NAME, controls_of, law_at

    planner, layout = study(arguments)
    found = controls_of(planner.scale)
    for line in found.left_out:
        print(f"left out: {line}")
    law = law_at(NAME, planner.scale)
    if arguments.list:
        for h in law.hypotheses:
            if h.role == "primary":
                print(f"{h.name}: {h.claim}")
        return
    from lawcheck.judging.controls import said
    from lawcheck.judging.judged import judge_file
    from lawcheck.pipeline.stages import collect
    from lawcheck.show.judged import render_law

    table = collect(planner, layout, law)
    verdict = judge_file(law, [table], planner.scale, layout.verdict(NAME))
    written = render_law(planner, layout, law, Path(arguments.figures))
    for part in verdict.parts:
        if part.role == "primary":
            print(f"{said(part)}: {part.name}")
    print("\n".join(verdict.notes))
    print("\n".join(map(str, (layout.verdict(NAME), *written))))
