"""The commands that make each part of the page again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale
from lawcheck.show.page.gather import Entry


@dataclass(frozen=True)
class Step:
    does: str
    command: str


def steps(entry: Entry, layout: Layout, scale: Scale) -> tuple[Step, ...]:
    """From nothing to this law's card, then each part of it alone."""
    name, seeds = entry.law.name, seed_words(entry.seeds)
    folder = layout.root.as_posix()
    results = shlex.quote(layout.results.as_posix())
    scores = shlex.quote(layout.law_scores(name).as_posix())
    study = f"--scale {scale.name} --seeds {seeds}"
    arm = next((a.name for a in entry.law.arms if a.recipe is not None), entry.law.base.name)
    return (
        Step(
            "train, evaluate, judge and draw",
            f"snakemake --profile local law_{name} --config scale={scale.name} seeds={seeds}",
        ),
        Step(
            "judge the scores again",
            f"lawcheck judge {name} --scale {scale.name} --scores {scores}",
        ),
        Step(
            "draw the tables and figures again",
            f"lawcheck render {name} --scale {scale.name} --results {results}",
        ),
        Step("make this page again", f"lawcheck report --from {shlex.quote(folder)}"),
        Step(
            "list the runs behind one arm (arms of each part: below)",
            f"lawcheck plan {name} {study} --arm {arm} --runs",
        ),
        Step(
            "train and score those runs alone",
            f"RUNS=$(lawcheck plan {name} {study} --arm {arm} --runs)\n"
            f"lawcheck corpus {study}\n"
            f"lawcheck train --scale {scale.name} $RUNS\n"
            f"lawcheck evaluate --scale {scale.name} $RUNS",
        ),
    )


def seed_words(seeds: Sequence[int]) -> str:
    """As --seeds and Snakemake's configuration take them: a count, or a list."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    return ",".join(map(str, seeds))
