"""Tables and figures from a score table and a verdict.

`render` writes every table as CSV, Markdown and LaTeX and every figure as PDF and PNG. Equal
input gives equal bytes on one machine. Never imports torch.
"""

from __future__ import annotations

from pathlib import Path

from lawcheck.atomic import atomic_file
from lawcheck.design import Law
from lawcheck.errors import InputError
from lawcheck.render.context import RenderContext
from lawcheck.render.grid import Table, csv_text, latex, markdown
from lawcheck.render.registry import declaration, renderer, renderers
from lawcheck.render.style import Picture, figure_bytes

__all__ = ["RenderContext", "outputs", "render"]

TABLE_SUFFIXES = ("csv", "md", "tex")
FIGURE_SUFFIXES = ("pdf", "png")


def render(law: Law, context: RenderContext, tables_dir: Path, figures_dir: Path) -> list[Path]:
    """Write the tables and figures that `law` names, and those every law gets.

    Every law gets the table of its arms and, with a verdict, the forest plot of its hypotheses.
    Everything is built before anything is written. Raises InputError for an arm without scores
    and for an unknown table or figure.
    """
    if context.law != law:
        raise InputError(
            f"render: law {law.name!r} with the context of {context.law.name!r}; give its own"
        )
    contents: dict[Path, bytes] = {}
    for name in _wanted("tables", law.tables):
        module = renderer("tables", name)
        table, grid = module.TABLE, module.build(context)
        stem = _stem(table, law)
        for suffix, text in {
            "csv": csv_text(grid),
            "md": markdown(table, grid),
            "tex": latex(table, grid, stem),
        }.items():
            contents[tables_dir / f"{stem}.{suffix}"] = text.encode()
    for name in _wanted("figures", law.figures):
        module = renderer("figures", name)
        if module.FIGURE.needs_verdict and context.verdict is None:
            continue
        for suffix, content in figure_bytes(module.build, context).items():
            contents[figures_dir / f"{_stem(module.FIGURE, law)}.{suffix}"] = content
    for path, content in contents.items():
        with atomic_file(path) as part:
            part.write_bytes(content)
    return sorted(contents)


def outputs(law: Law, tables_dir: Path, figures_dir: Path) -> list[Path]:
    """The files that `render` writes for a judged law, before anything is built."""
    tables = [renderer("tables", n).TABLE for n in _wanted("tables", law.tables)]
    figures = [renderer("figures", n).FIGURE for n in _wanted("figures", law.figures)]
    paths = [tables_dir / f"{_stem(t, law)}.{s}" for t in tables for s in TABLE_SUFFIXES]
    paths += [figures_dir / f"{_stem(f, law)}.{s}" for f in figures for s in FIGURE_SUFFIXES]
    return sorted(paths)


def _wanted(kind: str, named: tuple[str, ...]) -> list[str]:
    always = [n for n, m in renderers(kind).items() if declaration(kind, m).per_law]
    return list(dict.fromkeys([*named, *always]))


def _stem(declared: Table | Picture, law: Law) -> str:
    return f"{declared.name}_{law.name}" if declared.per_law else declared.name
