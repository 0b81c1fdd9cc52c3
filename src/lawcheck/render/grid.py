"""A table as rows and columns of cells, and its three written forms: CSV, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from lawcheck.render.summary import Measure

MISSING = "\u2014"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's fixed part. per_law: one file for every law, named after it."""

    name: str
    title: str
    caption: str
    per_law: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """unit: of the numbers, for the long form. best: whether the highest mean is marked."""

    key: str
    header: str
    unit: str
    decimals: int = 3
    best: bool = True


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one row shows in one column. published: as printed, with its own digits."""

    measure: Measure | None = None
    published: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """block: rows with the same block are compared with each other and set apart by a rule."""

    label: str
    arm: str
    cells: tuple[Cell, ...]
    block: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A filled table. published_scale: label of the other scale whose numbers stand beside."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    scale: str
    published_scale: str = "published, 7B, one run"
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
                        "unit": column.unit,
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
                    }
                )
        frame = pd.DataFrame(lines)
        whole = ("seeds", "items", "unscored")
        return frame.astype(dict.fromkeys(whole, "Int64"))

    def best(self) -> set[tuple[int, int]]:
        """(row, column) of the highest mean of each block and marked column, as printed."""
        found = set()
        for c, column in enumerate(self.columns):
            if not column.best:
                continue
            shown: dict[str, list[tuple[float, int]]] = {}
            for r, row in enumerate(self.rows):
                m = row.cells[c].measure
                if m is not None:
                    shown.setdefault(row.block, []).append((round(m.value, column.decimals), r))
            for values in shown.values():
                if len(values) > 1:
                    top = max(values)[0]
                    found |= {(r, c) for v, r in values if v == top}
        return found


def number(measure: Measure | None, column: Column, separator: str = " \u00b1 ") -> str:
    if measure is None:
        return MISSING
    text = f"{measure.value:.{column.decimals}f}"
    half = measure.half
    return text if half is None else f"{text}{separator}{half:.{column.decimals}f}"


def counts(row: Row) -> str:
    """Seeds x items of the row's widest measured cell."""
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
    head = ["", "seeds \u00d7 items", *(c.header for c in grid.columns)]
    lines = [f"### {table.title}", "", _bar(head), _bar(["---", *["---:"] * (len(head) - 1)])]
    best = grid.best()
    block = ""
    for r, row in enumerate(grid.rows):
        if row.block and row.block != block:
            block = row.block
            lines.append(_bar([f"*{_plain(block)}*", *[""] * (len(head) - 1)]))
        shown = [
            f"**{n}**" if (r, c) in best else n
            for c, n in enumerate(
                number(cell.measure, column)
                for cell, column in zip(row.cells, grid.columns, strict=True)
            )
        ]
        lines.append(_bar([_plain(row.label), counts(row), *shown]))
        if any(c.published for c in row.cells):
            other = [_plain(c.published or MISSING) for c in row.cells]
            lines.append(_bar([f"*{_plain(grid.published_scale)}*", MISSING, *other]))
    lines += ["", caption(table, grid), ""]
    return "\n".join(lines)


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")


def caption(table: Table, grid: Grid) -> str:
    """The whole caption: what is shown, at which scale, and the notes."""
    return " ".join([f"{table.caption} Scale: {grid.scale}.", *grid.notes])


ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u0394": r"$\Delta$",
    "\u00d7": r"$\times$",
    "\u00b1": r"$\pm$",
    "\u2212": "$-$",
    "\u2014": "---",
    "\u2013": "--",
    "\u2265": r"$\ge$",
    "\u2264": r"$\le$",
}


def escape(text: str) -> str:
    """Plain text for LaTeX, every special character included."""
    return "".join(ESCAPES.get(c, c) for c in text)


def latex(table: Table, grid: Grid, label: str) -> str:
    """A table* environment; needs the package booktabs and no other."""
    best = grid.best()
    width = len(grid.columns) + 2
    head = ["", "n", *(c.header for c in grid.columns)]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table*}[t]",
        "\\centering\\scriptsize\\setlength{\\tabcolsep}{3pt}",
        f"\\begin{{tabular}}{{@{{}}l{'r' * (width - 1)}@{{}}}}",
        "\\toprule",
        _line([escape(h) for h in head]),
        "\\midrule",
    ]
    block = grid.rows[0].block if grid.rows else ""
    if block:
        lines.append(f"\\multicolumn{{{width}}}{{@{{}}l}}{{\\textit{{{escape(block)}}}}} \\\\")
    for r, row in enumerate(grid.rows):
        if row.block != block:
            block = row.block
            lines += [
                "\\midrule",
                f"\\multicolumn{{{width}}}{{@{{}}l}}{{\\textit{{{escape(block)}}}}} \\\\",
            ]
        shown = [
            _tex_number(cell.measure, column, (r, c) in best)
            for c, (cell, column) in enumerate(zip(row.cells, grid.columns, strict=True))
        ]
        lines.append(_line([escape(row.label), escape(counts(row)), *shown]))
        if any(c.published for c in row.cells):
            other = [f"\\textit{{{escape(_minus(c.published or MISSING))}}}" for c in row.cells]
            name = f"\\quad\\textit{{{escape(grid.published_scale)}}}"
            lines.append(_line([name, "", *other]))
    lines += [
        "\\bottomrule",
        "\\end{tabular}",
        f"\\caption{{{escape(caption(table, grid))}}}",
        f"\\label{{tab:{label}}}",
        "\\end{table*}",
        "",
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _minus(text: str) -> str:
    return "\u2212" + text[1:] if text[:1] == "-" else text


def _tex_number(measure: Measure | None, column: Column, best: bool) -> str:
    if measure is None:
        return escape(MISSING)
    value = escape(_minus(f"{measure.value:.{column.decimals}f}"))
    value = f"\\textbf{{{value}}}" if best else value
    half = measure.half
    return value if half is None else f"{value}{{\\tiny$\\pm${half:.{column.decimals}f}}}"
