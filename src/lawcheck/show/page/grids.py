"""A filled table as the page shows it: sortable rows, ours and the printed number in one cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from lawcheck.judging.outcomes import minus
from lawcheck.show.grid import (
    MISSING,
    Cell,
    Column,
    Grid,
    Row,
    Table,
    caption,
    counts,
    decimals_of,
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One cell. half: half the interval's width. key: what sorting compares, None = nothing."""

    text: str
    half: str = ""
    published: str = ""
    remark: str = ""
    key: float | None = None
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """arm: its name, where the label does not show it."""

    label: str
    arm: str
    counts: str
    cells: tuple[Shown, ...]
    scored: bool


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """stem: of the table's files, if they are written.

    blocks: heading -> rows that are sorted among themselves.
    """

    stem: str
    title: str
    caption: str
    headers: tuple[str, ...]
    blocks: tuple[tuple[str, tuple[Line, ...]], ...]
    published: str
    written: bool


def sheet(stem: str, table: Table, grid: Grid, written: bool) -> Sheet:
    lines = [(r.block, _line(r, grid.columns)) for r in grid.rows]
    blocks = [(b, tuple(x for _, x in g)) for b, g in groupby(lines, key=lambda pair: pair[0])]
    printed = any(c.published for r in grid.rows for c in r.cells)
    return Sheet(
        stem=stem,
        title=table.title,
        caption=caption(table, grid),
        headers=tuple(c.header for c in grid.columns),
        blocks=tuple(blocks),
        published=grid.published_scale if printed else "",
        written=written,
    )


def _line(row: Row, columns: Sequence[Column]) -> Line:
    cells = zip(row.cells, columns, strict=True)
    return Line(
        label=row.label,
        arm=row.arm,
        counts=counts(row),
        cells=tuple(_shown(cell, column, row) for cell, column in cells),
        scored=row.scored,
    )


def _shown(cell: Cell, column: Column, row: Row) -> Shown:
    decimals = decimals_of(row, column)
    m = cell.measure
    printed = minus(cell.published or "")
    if m is None:
        return Shown(text=MISSING, published=printed, remark=cell.remark)
    half = m.half
    return Shown(
        text=minus(f"{m.value:.{decimals}f}"),
        half="" if half is None else f"{half:.{decimals}f}",
        published=printed,
        remark=cell.remark,
        key=m.value,
        best=cell.best,
    )
