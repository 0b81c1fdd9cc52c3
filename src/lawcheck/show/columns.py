"""Columns that several tables share, and the cells that fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lawcheck.declare.design import Arm
from lawcheck.published import published_text
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row
from lawcheck.show.notes import notes
from lawcheck.show.summary import Measure

SHORT = {
    "chemistry": "Chem",
    "medicine": "Med",
    "biology": "Bio",
    "math": "Math",
    "geography": "Geo",
}
PLANNED = "planned at paper scale"
INTERVALS = (
    "Mean \u00b1 half width of the 95 % interval (seeds and items crossed; items only where a "
    "single seed was run). Bold: highest mean of a block, whatever the intervals. \u2014: not "
    "measured."
)


def accuracy_columns(context: RenderContext) -> tuple[Column, ...]:
    """One column a discipline in table order, then their equally weighted mean."""
    columns = [
        Column(key=d.name, header=SHORT.get(d.name, d.title), unit="accuracy")
        for d in context.science
    ]
    return (*columns, Column(key="average", header="Avg", unit="accuracy"))


def fixed(value: float | None, interval: str) -> Measure | None:
    """A number that no seed or item varies."""
    if value is None:
        return None
    return Measure(
        value=value, low=None, high=None, interval=interval, n_seeds=0, n_items=0, n_unscored=0
    )


# How a cell is printed elsewhere: arm -> text, or None where it is not in print.
Printed = Callable[[Arm], str | None]


def row(
    context: RenderContext,
    columns: Sequence[Column],
    arm: Arm,
    label: str,
    block: str = "",
    published: str | Sequence[str] = (),
    measures: Mapping[str, Callable[[Arm], Measure | None]] | None = None,
    printed: Mapping[str, Printed] | None = None,
) -> Row:
    """Fill one arm's row.

    published: the published tables, the first that holds a cell counts. measures: column key ->
    how to measure it; default its accuracy. printed: column key -> its published text; default
    the cell of the published tables.
    """
    tables = (published,) if isinstance(published, str) else tuple(published)
    cells = []
    for column in columns:
        how = (measures or {}).get(column.key)
        found = how(arm) if how else context.summary.accuracy(arm, column.key)
        told = (printed or {}).get(column.key)
        texts = [told(arm)] if told else [published_text(t, arm, column.key) for t in tables]
        text = next((t for t in texts if t is not None), None)
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
) -> Grid:
    """A grid of these rows with everything a reader must know about them; `said` stands first."""
    return Grid(
        columns=tuple(columns),
        rows=tuple(rows),
        scale=context.shown_scale,
        notes=(*said, *notes(context, columns, rows)),
    )
