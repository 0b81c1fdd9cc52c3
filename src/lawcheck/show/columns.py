"""Columns that several tables share, and the cells that fill them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

from lawcheck.declare.design import Arm, Target
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.grid import Cell, Column, Grid, Row
from lawcheck.show.notes import notes
from lawcheck.show.summary import CROSSED, Measure

PLANNED = "planned at paper scale"
INTERVALS = (
    "Mean \u00b1 half width of the 95 % interval (seeds and items crossed; items only where a "
    "single seed was run). Bold: above every other row of its block, the 95 % interval of each "
    "difference, paired over seeds and items, lying above 0; no row is bold where none is shown to "
    "be. \u2014: not measured."
)


def accuracy_columns(context: RenderContext) -> tuple[Column, ...]:
    """One column a discipline in table order, then, of several, their equally weighted mean."""
    columns = [
        Column(key=d.name, header=d.short or d.title, unit="accuracy") for d in context.science
    ]
    if len(columns) == 1:
        return tuple(columns)
    return (*columns, Column(key="average", header="Avg", unit="accuracy"))


def fixed(value: float | None, interval: str) -> Measure | None:
    """A number that no seed or item varies."""
    if value is None:
        return None
    return Measure(
        value=value, low=None, high=None, interval=interval, n_seeds=0, n_items=0, n_unscored=0
    )


# How a cell is printed elsewhere: (arm, column key) -> text, or None where it is not in print.
Printed = Callable[[Arm, str], str | None]


def row(
    context: RenderContext,
    columns: Sequence[Column],
    arm: Arm,
    label: str,
    block: str = "",
    published: Printed | None = None,
    measures: Mapping[str, Callable[[Arm], Measure | None]] | None = None,
) -> Row:
    """Fill one arm's row.

    published: the cells in print beside ours. measures: column key -> how to measure it; default
    its accuracy.
    """
    cells = []
    for column in columns:
        how = (measures or {}).get(column.key)
        found = how(arm) if how else context.summary.accuracy(arm, column.target)
        text = published(arm, column.key) if published else None
        cells.append(Cell(measure=found, published=text))
    return Row(
        label=label,
        arm=arm.name,
        cells=tuple(cells),
        block=block,
        scored=context.summary.scored(arm.name),
    )


def filled(
    context: RenderContext,
    columns: Sequence[Column],
    rows: Sequence[Row],
    said: Sequence[str] = (),
    published_scale: str = "published",
) -> Grid:
    """A grid of these rows with everything a reader must know about them; `said` stands first."""
    return Grid(
        columns=tuple(columns),
        rows=_marked(context, columns, rows),
        scale=context.shown_scale if context.scale_name else "",
        published_scale=published_scale,
        notes=(*said, *notes(context, columns, rows)),
    )


def _marked(
    context: RenderContext, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[Row, ...]:
    """The rows, with the cells marked that are shown to be the best of their block."""
    arms = {a.name: a for a in context.law.arms}
    best: set[tuple[int, int]] = set()
    blocks: dict[str, list[int]] = {}
    for r, line in enumerate(rows):
        if line.best and line.arm in arms:
            blocks.setdefault(line.block, []).append(r)
    for (c, column), members in itertools.product(enumerate(columns), blocks.values()):
        seen = [(m.value, r) for r in members if (m := rows[r].cells[c].measure) is not None]
        if column.best and len(seen) > 1:
            top = max(seen)[1]
            rest = (arms[rows[r].arm] for _, r in seen if r != top)
            if all(_above(context, arms[rows[top].arm], other, column.target) for other in rest):
                best.add((top, c))
    return tuple(
        dataclasses.replace(
            line,
            cells=tuple(
                dataclasses.replace(cell, best=(r, c) in best) for c, cell in enumerate(line.cells)
            ),
        )
        for r, line in enumerate(rows)
    )


def _above(context: RenderContext, arm: Arm, other: Arm, target: Target) -> bool:
    """Whether an arm is shown to score higher; one seed shows nothing about the next."""
    found = change(context, arm, other, target)
    if found is None or found.low is None or found.interval != CROSSED:
        return False
    return found.low > 0
