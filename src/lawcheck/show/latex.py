"""A table as LaTeX: escaped, within the width of the text and the height of the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from lawcheck.show.grid import COUNTS, MISSING, Grid, Row, Table, caption, counts, decimals_of
from lawcheck.show.summary import Measure

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
    # Behind the end of a line these would be read as its arguments.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\u0394": r"$\Delta$",
    "\u00d7": r"$\times$",
    "\u00b1": r"$\pm$",
    "\u2212": "$-$",
    "\u2014": "---",
    "\u2013": "--",
    "\u2265": r"$\ge$",
    "\u2264": r"$\le$",
}


# Combining marks that LaTeX has an accent for.
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u0327": "c",
}


def escape(text: str) -> str:
    """Plain text for LaTeX in ASCII, every special character included.

    Accented Latin letters are kept; any other letter becomes its code point, so that it compiles.
    """
    # Two hyphens, as in an option, would join to a dash.
    text = " ".join(text.split()).replace("--", "-\ufeff-").replace("--", "-\ufeff-")
    return "".join(_escaped(c) for c in text)


def _escaped(character: str) -> str:
    if character == "\ufeff":
        return "{}"
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isascii():
        return character
    base, *marks = list(unicodedata.normalize("NFKD", character))
    if base.isascii() and base.isalnum() and len(marks) <= 1 and set(marks) <= ACCENTS.keys():
        return f"\\{ACCENTS[marks[0]]}{{{base}}}" if marks else base
    return f"{{[}}U+{ord(character):04X}{{]}}"


# Lines of a table that fit on a page together with its caption.
MOST_LINES = 48


def latex(table: Table, grid: Grid, label: str) -> str:
    """table* environments for an ordinary LaTeX document with the packages booktabs and graphicx.

    A table wider than the text is shrunk to it, one longer than a page goes on in a second float.
    """
    lines = ["% needs \\usepackage{booktabs,graphicx}"]
    said = caption(table, grid)
    if any(c.published for row in grid.rows for c in row.cells):
        said += f" In italics: {grid.published_scale}."
    for k, part in enumerate(_pages(grid.rows)):
        lines += [
            "\\begin{table*}[t]",
            "\\centering\\scriptsize\\setlength{\\tabcolsep}{3pt}",
            "\\setbox0=\\hbox{%",
            *_tabular(grid, part),
            "}\\ifdim\\wd0>\\textwidth\\resizebox{\\textwidth}{!}{\\box0}\\else\\box0\\fi",
        ]
        if k:
            lines.append(f"\\par\\smallskip\\normalsize Table~\\ref{{tab:{label}}}, continued.")
        else:
            lines.append(f"\\caption{{{escape(said)}}}")
            lines.append(f"\\label{{tab:{label}}}")
        lines.append("\\end{table*}")
    return "\n".join([*lines, ""])


def _pages(rows: Sequence[Row]) -> list[range]:
    """Row numbers of each float; blocks stay together where they fit."""
    pages: list[range] = []
    start = length = 0
    for block in _blocks(rows):
        size = 1 + sum(1 + any(c.published for c in rows[r].cells) for r in block)
        if length and length + size > MOST_LINES:
            pages.append(range(start, block.start))
            start, length = block.start, 0
        length += size
    return [*pages, range(start, len(rows))]


def _blocks(rows: Sequence[Row]) -> list[range]:
    """Runs of rows of one block, cut where one alone could fill a page."""
    cuts = [0]
    for r in range(1, len(rows)):
        if rows[r].block != rows[r - 1].block or r - cuts[-1] == MOST_LINES // 2 - 1:
            cuts.append(r)
    return [range(a, b) for a, b in pairwise([*cuts, len(rows)])]


def _tabular(grid: Grid, part: range) -> list[str]:
    counted = grid.counted
    width = len(grid.columns) + 1 + counted
    head = ["", *[COUNTS] * counted, *(c.header for c in grid.columns)]
    lines = [
        f"\\begin{{tabular}}{{@{{}}l{'r' * (width - 1)}@{{}}}}",
        "\\toprule",
        _line([escape(h) for h in head]),
    ]
    block = None
    for r in part:
        row = grid.rows[r]
        if row.block != block:
            block = row.block
            lines.append("\\midrule")
            if block:
                title = f"\\textit{{{escape(block)}}}"
                lines.append(f"\\multicolumn{{{width}}}{{@{{}}l}}{{{title}}} \\\\")
        shown = []
        for cell, column in zip(row.cells, grid.columns, strict=True):
            text = _tex_number(cell.measure, decimals_of(row, column), cell.best)
            shown.append(f"{text} ({escape(cell.remark)})" if cell.remark else text)
        if not row.printed:
            lines.append(_line([escape(row.label), *[escape(counts(row))] * counted, *shown]))
        if any(c.published for c in row.cells):
            other = [f"\\textit{{{escape(_minus(c.published or MISSING))}}}" for c in row.cells]
            name = escape(row.label) if row.printed else "\\quad\\textit{published}"
            lines.append(_line([name, *[""] * counted, *other]))
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _minus(text: str) -> str:
    return "\u2212" + text[1:] if text[:1] == "-" else text


def _tex_number(measure: Measure | None, decimals: int, best: bool) -> str:
    if measure is None:
        return escape(MISSING)
    value = escape(_minus(f"{measure.value:.{decimals}f}"))
    value = f"\\textbf{{{value}}}" if best else value
    half = measure.half
    return value if half is None else f"{value}{{\\tiny$\\pm${half:.{decimals}f}}}"
