"""Tables and figures from a score table and a verdict.

`render` writes every table as CSV, Markdown and LaTeX and every figure as PDF and PNG. Equal
input gives equal bytes on one machine. Never imports torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lawcheck.declare.design import Law
from lawcheck.errors import InputError
from lawcheck.files.atomic import atomic_file
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table, csv_text, markdown
from lawcheck.show.latex import latex
from lawcheck.show.registry import declaration, renderer, renderers
from lawcheck.show.style import Picture, figure_bytes

__all__ = ["RenderContext", "declarations", "grids", "outputs", "pictures", "render", "table_files"]

T = TypeVar("T")
TABLE_SUFFIXES = ("csv", "md", "tex")
FIGURE_SUFFIXES = ("pdf", "png")


def render(law: Law, context: RenderContext, tables_dir: Path, figures_dir: Path) -> list[Path]:
    """Write the tables and figures that `law` names, and those every law gets.

    Every law gets the table of its arms and, with a verdict, the forest plot of its hypotheses.
    Everything is built before anything is written. An arm without scores leaves empty cells and
    a note that names the command; raises InputError where a table has nothing to show, and for an
    unknown table or figure.
    """
    if context.law != law:
        raise InputError(
            f"render: law {law.name!r} with the context of {context.law.name!r}; give its own"
        )
    contents = table_files(law, context, tables_dir)
    for stem, (_, files) in pictures(law, context).items():
        for suffix, content in files.items():
            contents[figures_dir / f"{stem}.{suffix}"] = content
    for path, content in contents.items():
        with atomic_file(path) as part:
            part.write_bytes(content)
    return sorted(contents)


def table_files(law: Law, context: RenderContext, folder: Path) -> dict[Path, bytes]:
    """The content of every table file of a law."""
    contents: dict[Path, bytes] = {}
    for stem, (table, grid) in grids(law, context).items():
        for suffix, text in {
            "csv": csv_text(grid),
            "md": markdown(table, grid),
            "tex": latex(table, grid, stem),
        }.items():
            contents[folder / f"{stem}.{suffix}"] = text.encode()
    return contents


def grids(
    law: Law, context: RenderContext, refused: list[str] | None = None
) -> dict[str, tuple[Table, Grid]]:
    """The filled tables of a law, by the stem of their files.

    refused: takes the reason of each that cannot be filled; without it the first one is raised.
    """
    modules = [renderer("tables", n) for n in _wanted("tables", law)]
    made = ((m.TABLE, _made(functools.partial(m.build, context), refused)) for m in modules)
    return {_stem(table, law): (table, grid) for table, grid in made if grid is not None}


def pictures(
    law: Law, context: RenderContext, refused: list[str] | None = None
) -> dict[str, tuple[Picture, dict[str, bytes]]]:
    """The drawn figures of a law, by the stem of their files: suffix -> bytes.

    Figures that need a verdict are left out where there is none. refused: as of `grids`.
    """
    modules = [renderer("figures", n) for n in _wanted("figures", law)]
    made = (
        (m.FIGURE, _made(functools.partial(figure_bytes, m.build, context), refused))
        for m in modules
        if context.verdict is not None or not m.FIGURE.needs_verdict
    )
    return {_stem(figure, law): (figure, files) for figure, files in made if files is not None}


def _made(make: Callable[[], T], refused: list[str] | None) -> T | None:
    try:
        return make()
    except InputError as error:
        if refused is None:
            raise
        refused.append(str(error))
        return None


def declarations(law: Law) -> dict[str, Table | Picture]:
    """The fixed parts of a judged law's tables and figures, by the stem of their files."""
    tables = [renderer("tables", n).TABLE for n in _wanted("tables", law)]
    figures = [renderer("figures", n).FIGURE for n in _wanted("figures", law)]
    return {_stem(d, law): d for d in (*tables, *figures)}


def outputs(law: Law, tables_dir: Path, figures_dir: Path) -> list[Path]:
    """The files that `render` writes for a judged law, before anything is built."""
    paths = []
    for stem, declared in declarations(law).items():
        if isinstance(declared, Table):
            paths += [tables_dir / f"{stem}.{s}" for s in TABLE_SUFFIXES]
        else:
            paths += [figures_dir / f"{stem}.{s}" for s in FIGURE_SUFFIXES]
    return sorted(paths)


def _wanted(kind: str, law: Law) -> list[str]:
    named = law.tables if kind == "tables" else law.figures
    fixed = {n: declaration(kind, m) for n, m in renderers(kind).items()}
    always = [n for n, d in fixed.items() if d.per_law and (d.only is None or d.only(law))]
    return list(dict.fromkeys([*named, *always]))


def _stem(declared: Table | Picture, law: Law) -> str:
    """Files of different laws never share a name, also where a law borrows another's table."""
    own = declared.law in ("", law.name) and not declared.per_law
    return declared.name if own else f"{declared.name}_{law.name}"
