"""Which task a selector takes an item for."""

from __future__ import annotations

import numpy as np

from lawcheck.declare.design import Arm
from lawcheck.scores import CHOSEN
from lawcheck.show.columns import filled
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import part_label, words
from lawcheck.show.summary import NONE, Measure
from lawcheck.studies.adapters_selector.shown import PRINTED, chosen, notes, selection_label

TABLE = Table(
    name="selector_confusion",
    law="ambiguity",
    title="Tasks taken for each other",
    caption=(
        "Share of a task's items that a selector takes for each task; rows: the right one. "
        "Unreadable: the reply is no domain and task; unknown: no task is called so. Means over "
        "items and seeds. \u2014: not measured."
    ),
)
# What a reply without a task is called, by its place (lawcheck.declare.metrics).
OTHERS = {-1: "Unreadable", -2: "Unknown"}


def build(context: RenderContext) -> Grid:
    arms = context.law.arms
    asked = {frozenset(s.tasks) for a in arms if a.method == "selector" and (s := a.selection)}
    found = [arm for tasks in asked for arm in chosen(arms, tuple(tasks), TABLE.name)]
    found.sort(key=lambda arm: len(arm.selection.tasks) if arm.selection else 0)
    context.summary.require(found, TABLE.name)
    known = [t for t in PRINTED if any(t in tasks for tasks in asked)]
    wanted = [
        Column(key=t, header=part_label(t.partition("_")[2]), unit="share", decimals=2, best=False)
        for t in known
    ]
    wanted += [
        Column(key=name, header=name, unit="share", decimals=2, best=False)
        for name in OTHERS.values()
    ]
    rows = [_row(context, arm, task, known) for arm in found for task in known if _has(arm, task)]
    return filled(context, wanted, rows, notes(context, wanted)[:1])


def _has(arm: Arm, task: str) -> bool:
    return arm.selection is not None and task in arm.selection.tasks


def _row(context: RenderContext, arm: Arm, task: str, known: list[str]) -> Row:
    assert arm.selection is not None
    tasks, seeds = arm.selection.tasks, context.scores.seeds(arm.name, task, CHOSEN)
    cells = [Cell()] * (len(known) + len(OTHERS))
    if seeds:
        cube = context.scores.cube(arm.name, task, seeds, CHOSEN)
        places = [tasks.index(t) if t in tasks else None for t in known]
        cells = [_share(cube, place) for place in (*places, *OTHERS)]
    block = f"Selector of {len(tasks)} tasks ({selection_label(arm.selection)})"
    return Row(label=words(task), arm="", cells=tuple(cells), block=block, best=False)


def _share(cube: np.ndarray, place: int | None) -> Cell:
    """place: None of a task that the selector does not know."""
    if place is None:
        return Cell()
    scored = np.isfinite(cube)
    return Cell(
        measure=Measure(
            value=float((cube[scored] == place).mean()),
            low=None,
            high=None,
            interval=NONE,
            n_seeds=cube.shape[0],
            n_items=cube.shape[1],
            n_unscored=int((~scored).sum()),
        )
    )
