"""Table 1: selectors of six tasks by size, embedding and distance, and three whole systems."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from lawcheck.declare.design import Arm
from lawcheck.show.columns import INTERVALS, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.show.printed import lines
from lawcheck.studies.adapters_selector.checks import OURS
from lawcheck.studies.adapters_selector.shown import (
    SCALE,
    asked,
    ceiling_row,
    cell,
    chosen,
    columns,
    measures,
    notes,
    selection_label,
    selectors,
)

TABLE = Table(
    name="selector_table_1",
    law="route_by_selector",
    title="Table 1 of Tian et al. Six tasks",
    caption=(
        "Selectors: share of items whose domain and task are both named, by rows selected of each "
        "task at paper size, embedding and distance. Systems: scores on the tasks themselves. "
        + INTERVALS
    ),
)
# What answers the tasks -> its name, and the printed row.
SYSTEMS = {
    "lora": ("LoRA on all tasks", ""),
    "task_balanced": ("LoRA on all tasks, balanced loss", "MTFCoder"),
    "mola": ("Mixture of LoRA experts", "MoE LoRA"),
    "mtl_lora": ("MTL-LoRA", ""),
    "soup": ("Adapters concatenated", ""),
    "state_mean": ("Adapters, states averaged", ""),
    "routed": ("Adapters, routed by the selector", OURS),
    "oracle": ("Adapters, the right one", ""),
}


def build(context: RenderContext) -> Grid:
    arms = context.law.arms
    routed = next((a for a in arms if a.method in ("routed", "oracle")), None)
    tasks = asked(routed) if routed is not None else ()
    found = chosen(arms, tasks, TABLE.name)
    wanted = columns(tasks, rows=True)
    how = measures(context, tasks)
    rows = selectors(context, found, wanted, 1, "Selectors")
    for arm in arms:
        if arm.method == "lookup" and arm.selection is not None:
            label = f"Regression on vectors, {selection_label(arm.selection)}"
            rows.append(row(context, wanted, arm, label, "Selectors", None, how))
    rows += ceiling_row(context, wanted, "Selectors")
    by = {r["selector"]: r for r in lines("adapters_selector_t1")}
    systems = {a: kind for kind in SYSTEMS for a in arms if system(a, tasks) == kind}
    for arm, kind in systems.items():
        label, name = SYSTEMS[kind]
        published = functools.partial(_cell, by.get(name, {}))
        rows.append(row(context, wanted, arm, label, "Systems", published, how))
    context.summary.require([*found, *systems], TABLE.name)
    said = notes(context, wanted)
    if systems:
        said.append(
            "The published systems' mean is of four accuracies and two BERTScore-F1; the right "
            "adapter for every item is not in print."
        )
    return filled(context, wanted, rows, said, SCALE)


def system(arm: Arm, tasks: tuple[str, ...]) -> str | None:
    """Which of SYSTEMS an arm is, on all of these tasks; None for any other arm."""
    if set(asked(arm)) != set(tasks):
        return None
    balanced = arm.recipe is not None and arm.recipe.objective == "task_balanced"
    kind = "task_balanced" if balanced and arm.method == "lora" else arm.method
    return kind if kind in SYSTEMS else None


def _cell(line: Mapping[str, str], arm: Arm, column: str) -> str | None:
    return cell(line, column)
