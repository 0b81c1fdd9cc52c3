"""Table 3: selectors that are trained further to add, balance or delete tasks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.columns import INTERVALS, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Row, Table
from lawcheck.show.printed import lines
from lawcheck.studies.adapters_selector.arms import TWELVE
from lawcheck.studies.adapters_selector.shown import SCALE, cell, columns, measures, notes

TABLE = Table(
    name="selector_table_3",
    law="update_selector",
    title="Table 3 of Tian et al. Updates",
    caption=(
        "Share of items whose domain and task are both named, before and after training further on "
        "the operation's tasks and a share of the rows of the others. Mean: over the tasks that a "
        "selector lists. " + INTERVALS
    ),
)
STEPS = {0.0: "new", 0.1: "mix 1", 0.3: "mix 2", 0.5: "mix 3"}
DELETED = {0.1: "1", 0.3: "2", 0.5: "3", 1.0: "4"}


def operation(arm: Arm) -> str | None:
    """`add`, `balance` or `delete`, by how an arm's tasks differ from its parent's."""
    if arm.method != "selector" or arm.selection is None or len(arm.parents) != 1:
        return None
    before = arm.parents[0].selection
    if before is None:
        return None
    old, new = set(before.tasks), set(arm.selection.tasks)
    if new > old:
        return "add"
    if new < old:
        return "delete"
    return "balance" if arm.selection.whole else None


def build(context: RenderContext) -> Grid:
    found = [(name, a) for a in context.law.arms if (name := operation(a)) is not None]
    if not found:
        raise InputError(
            f"{TABLE.name}: law {context.law.name!r} declares no selector that is trained further; "
            f"declare one, or leave {TABLE.name} out of its list"
        )
    wanted = columns(TWELVE)
    by = {(r["selector"], r["ratio"]): r for r in lines("adapters_selector_t3")}
    rows: list[Row] = []
    for name in ("add", "balance", "delete"):
        made = functools.partial(_row, context, wanted, name.capitalize())
        own = sorted(
            (a for kind, a in found if kind == name),
            key=lambda a: a.selection.retained if a.selection else 0.0,
        )
        for parent in dict.fromkeys(a.parents[0] for a in own):
            line = by.get((f"{name} origin", "\u2014"), {})
            rows.append(made(parent, "Before", line))
        for arm in own:
            assert arm.selection is not None
            ratio = arm.selection.retained
            step = (DELETED if name == "delete" else STEPS).get(ratio, "")
            line = by.get((f"{name} {step}", f"{ratio:g}"), {})
            label = f"{100 * ratio:g} % of the others" if name != "delete" else f"{100 * ratio:g} %"
            rows.append(made(arm, label, line))
    context.summary.require([a for _, a in found], TABLE.name)
    said = [
        "Published rows of balance equal those of add in every digit; headings of legal and "
        "financial tasks seem to be exchanged there; both stand as printed.",
        *notes(context, wanted),
    ]
    return filled(context, wanted, rows, said, SCALE)


def _row(
    context: RenderContext,
    wanted: Sequence[Column],
    block: str,
    arm: Arm,
    label: str,
    line: Mapping[str, str],
) -> Row:
    how = measures(context, TWELVE)
    return row(context, wanted, arm, label, block, lambda _, column: cell(line, column), how)
