"""A table as rows and columns of cells, and two of its written forms: CSV and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from lawcheck.declare.design import Law, Target
from lawcheck.show.summary import Measure

MISSING = "\u2014"
NO_SCORES = "no scores"
COUNTS = "seeds \u00d7 items"


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """What a table or a figure is, whatever it shows. per_law: one file for every law, or for
    those that `only` takes.

    law: whose results the file is named for; another law that names it gets a file with its own
    name appended, so that no law overwrites another's.
    """

    name: str
    title: str
    caption: str
    per_law: bool = False
    law: str = ""
    only: Callable[[Law], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Table(Fixed):
    """A table's fixed part."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """unit: of the numbers, for the long form. best: whether a row that is best may be marked.

    of: what a cell's accuracy is of, where `key` is no target itself.
    """

    key: str
    header: str
    unit: str
    decimals: int = 3
    best: bool = True
    of: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        return self.of or self.key


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one row shows in one column. published: as printed, with its own digits.

    remark: a word or two that stand behind the number. best: shown to be above every other row of
    the block.
    """

    measure: Measure | None = None
    published: str | None = None
    remark: str = ""
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """block: rows with the same block are compared with each other and set apart by a rule.

    arm: its name; empty for a row over several arms. scored: whether there are any scores of it.
    unit, decimals: of rows that measure something else than their columns say. best: whether it is
    compared with the other rows of its block. printed: whether it stands in print alone, so that
    none of its cells can be measured here.
    """

    label: str
    arm: str
    cells: tuple[Cell, ...]
    block: str = ""
    scored: bool = True
    unit: str | None = None
    decimals: int | None = None
    best: bool = True
    printed: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A filled table. published_scale: label of the other scale whose numbers stand beside."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    scale: str
    published_scale: str = "published"
    notes: tuple[str, ...] = field(default=())

    def long(self) -> pd.DataFrame:
        """One line per row and column; absent numbers are empty."""
        lines = []
        for row in self.rows:
            for column, cell in zip(self.columns, row.cells, strict=True):
                m = cell.measure
                lines.append(
                    {
                        "block": row.block,
                        "row": row.label,
                        "arm": row.arm,
                        "column": column.key,
                        "unit": row.unit or column.unit,
                        "scale": self.scale,
                        "mean": m.value if m else None,
                        "low": m.low if m else None,
                        "high": m.high if m else None,
                        "interval": m.interval if m else None,
                        "seeds": m.n_seeds if m and m.n_seeds else None,
                        "items": m.n_items if m and m.n_items else None,
                        "unscored": m.n_unscored if m and m.n_items else None,
                        "published": cell.published,
                        "published_scale": self.published_scale if cell.published else None,
                        "remark": cell.remark or None,
                    }
                )
        frame = pd.DataFrame(lines)
        whole = ("seeds", "items", "unscored")
        return frame.astype(dict.fromkeys(whole, "Int64"))

    @property
    def counted(self) -> bool:
        """Whether any row has seeds and items to name."""
        return any(counts(row) != MISSING for row in self.rows)


def number(measure: Measure | None, decimals: int) -> str:
    if measure is None:
        return MISSING
    text = f"{measure.value:.{decimals}f}"
    half = measure.half
    return text if half is None else f"{text} \u00b1 {half:.{decimals}f}"


def counts(row: Row) -> str:
    """Seeds x items of the row's widest measured cell."""
    if not row.scored:
        return NO_SCORES
    sizes = [
        (c.measure.n_items, c.measure.n_seeds) for c in row.cells if c.measure and c.measure.n_items
    ]
    if not sizes:
        return MISSING
    items, seeds = max(sizes)
    return f"{seeds} \u00d7 {items}"


def csv_text(grid: Grid) -> str:
    """Long form; numbers to ten significant digits."""
    return grid.long().to_csv(index=False, float_format="%.10g", lineterminator="\n")


def markdown(table: Table, grid: Grid) -> str:
    counted = grid.counted
    head = ["", *[COUNTS] * counted, *(_plain(c.header) for c in grid.columns)]
    lines = [f"### {table.title}", "", _bar(head), _bar(["---", *["---:"] * (len(head) - 1)])]
    block = ""
    for row in grid.rows:
        if row.block and row.block != block:
            block = row.block
            lines.append(_bar([f"*{_plain(block)}*", *[""] * (len(head) - 1)]))
        shown = []
        for cell, column in zip(row.cells, grid.columns, strict=True):
            text = number(cell.measure, decimals_of(row, column))
            text = f"**{text}**" if cell.best else text
            shown.append(f"{text} ({_plain(cell.remark)})" if cell.remark else text)
        if not row.printed:
            lines.append(_bar([_plain(row.label), *[counts(row)] * counted, *shown]))
        if any(c.published for c in row.cells):
            other = [_plain(c.published or MISSING) for c in row.cells]
            name = f"*{_plain(row.label if row.printed else grid.published_scale)}*"
            lines.append(_bar([name, *[MISSING] * counted, *other]))
    lines += ["", _plain(caption(table, grid)), ""]
    return "\n".join(lines)


def decimals_of(row: Row, column: Column) -> int:
    return column.decimals if row.decimals is None else row.decimals


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


MARKDOWN = {c: f"\\{c}" for c in "|*`[]"} | {"<": "&lt;", "\n": " "}


def _plain(text: str) -> str:
    """Plain text for Markdown. Underscores inside words stay, so that names can be copied."""
    return "".join(MARKDOWN.get(c, c) for c in text)


def caption(table: Table, grid: Grid) -> str:
    """The whole caption: what is shown, at which scale if any, and the notes."""
    scale = [f"Scale: {grid.scale}."] if grid.scale else []
    return " ".join([table.caption, *scale, *grid.notes])
