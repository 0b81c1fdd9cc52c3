"""Runs, tokens and cost of a law."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_law, add_study, print_json, study
from lawcheck.errors import InputError

ORDER = 20
GROUP = "study"
SCORES = ("pilot",)
EXAMPLES = (
    "lawcheck plan share_then_specialize --seeds 5",
    "lawcheck plan ours_wins --pilot scores.csv",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_law(parser)
    add_study(parser)
    parser.add_argument("--arm", help="this arm only")
    parser.add_argument("--runs", action="store_true", help="print run ids only")
    parser.add_argument(
        "--hardware",
        metavar="NAME",
        help="a800, h100, h200 or a YAML file: plan hours and memory on it",
    )
    parser.add_argument(
        "--pilot", action="append", metavar="SCORES", help="seeds needed, from a pilot's scores"
    )
    parser.add_argument(
        "--left",
        type=int,
        metavar="JOBS",
        help="what is done of its study, and the time that is left",
    )
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.planning.accelerators import load_accelerator
    from lawcheck.planning.controls import law_at
    from lawcheck.planning.forecast import plan_law, plan_text

    planner, layout = study(arguments)
    law = law_at(arguments.law, planner.scale)
    if arguments.left is not None:
        from lawcheck.planning.remaining import remaining, study_runs

        runs = study_runs(planner, law)
        print(remaining(planner, layout, runs, max(arguments.left, 1)), flush=True)
        return
    if arguments.pilot:
        from lawcheck.judging.pilot import pilot_plan, pilot_text

        if arguments.arm or arguments.runs or arguments.seeds or arguments.hardware:
            raise InputError("plan: --pilot plans whole laws and all seeds; leave other options")
        planned = pilot_plan(law, arguments.pilot, planner)
        print_json(planned) if arguments.json else print(pilot_text(planned))
        return
    accelerator = load_accelerator(arguments.hardware) if arguments.hardware else None
    printed_hours = None
    if planner.scale.plan is not None or accelerator is not None:
        # pandas, which other plans do without.
        from lawcheck.show.printed import rows_of

        printed = rows_of(law)
        printed_hours = printed.gpu_hours if printed else None
    found = plan_law(planner, law, arguments.arm, accelerator, printed_hours)
    if arguments.runs:
        print("\n".join(row["id"] for row in found["runs"]))
    elif arguments.json:
        print_json(found)
    else:
        print(plan_text(found))
