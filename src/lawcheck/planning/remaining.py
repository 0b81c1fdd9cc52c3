"""How much of a study is done, and how long the rest takes at the pace so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Law, Run
from lawcheck.declare.layout import Layout
from lawcheck.planning.forecast import evaluation_minutes, training_minutes
from lawcheck.planning.plan import Planner


def study_runs(planner: Planner, law: Law) -> dict[str, Run]:
    """The runs of a law and of the others of its study, with all that they are made from."""
    home = discovery.study_of(law.name)
    laws = [d for n, d in discovery.laws().items() if home and discovery.study_of(n) == home]
    runs = (r for d in laws or [law] for r in planner.law_runs(d).values())
    return planner.with_parents(runs)


def remaining(planner: Planner, layout: Layout, runs: Mapping[str, Run], jobs: int) -> str:
    """One line. jobs: how many run at a time.

    The pace is what was measured of finished training over what was planned; before any, 1.
    """
    scale, taken, done, left = planner.scale, 0.0, 0.0, 0.0
    trained = scored = 0
    for run in runs.values():
        planned = training_minutes(planner, [run])
        record = _read(layout.train_record(run.id))
        if record is not None and record.get("wall_seconds"):
            taken, done = taken + record["wall_seconds"] / 60, done + planned
        trained += record is not None
        left += planned if record is None else 0.0
        if layout.run_scores(run.id).is_file():
            scored += 1
        else:
            left += evaluation_minutes(scale, [run])
    pace = taken / done if done else 1.0
    minutes = left * pace / jobs
    train = sum(run.arm.has_weights for run in runs.values())
    return (
        f"{trained} of {train} runs trained, {scored} of {len(runs)} scored; about {minutes:.0f} "
        f"minutes left with {jobs} at a time{f', at {pace:.2f} x the planned time' if done else ''}"
    )


def _read(path: Path) -> dict[str, Any] | None:
    """A training record; None where it is not there yet, or only partly."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
