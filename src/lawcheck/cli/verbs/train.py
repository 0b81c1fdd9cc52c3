"""Train runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lawcheck.cli.options import add_runs, add_study, add_wait, study
from lawcheck.errors import InputError

ORDER = 70
GROUP = "study"
EXAMPLES = ("lawcheck train RUN... --scale smoke --scores scores.json",)
NEEDS = ("torch",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_wait(parser)
    add_runs(parser)
    parser.add_argument(
        "--scores", help="score the runs in the same process; JSON file as --record"
    )


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.corpus.build import check_corpus
    from lawcheck.declare import discovery
    from lawcheck.files.atomic import write_json
    from lawcheck.pipeline import stages
    from lawcheck.planning.plan import find_runs
    from lawcheck.training import launch
    from lawcheck.training.hardware import check_training

    planner, layout = study(arguments, arguments.runs)
    runs = find_runs(planner, discovery.laws(), arguments.runs)
    hardware = planner.scale.hardware
    trained = [run for run in runs if discovery.trains_rows(run.arm)]
    check_training(planner.scale, trained)
    if arguments.scores and hardware.processes > 1:
        raise InputError(
            f"train --scores: scale {planner.scale.name!r} trains in {hardware.processes} "
            f"processes, and scoring takes one; run `lawcheck evaluate` afterwards"
        )
    if trained and hardware.processes > 1 and not launch.is_worker():
        check_corpus(layout.corpus, planner.scale)
        return launch.launch([sys.executable, "-m", "lawcheck", *arguments.command], hardware)
    launch.check_workers(hardware)
    merges = not trained and any(run.arm.has_weights for run in runs)
    if merges and hardware.nodes > 1 and launch.find_place(hardware, os.environ).node:
        # A merge is of one process; a cluster starts this command on every node.
        return 0
    record = stages.train(planner, layout, runs, arguments.wait)
    scores = stages.evaluate(planner, layout, runs) if arguments.scores else None
    # Together, at the end. Where an engine or a shell was killed and this job was not, the next
    # engine may have removed what had been written; of one file alone it would miss the other only
    # if something asked for it.
    if arguments.record and launch.rank() == 0:
        write_json(Path(arguments.record), record)
    if launch.is_worker():
        from lawcheck.training import sharding

        sharding.leave()
    if arguments.scores:
        write_json(Path(arguments.scores), scores)
    return 0
