"""docs/your-own-results.ipynb runs as it stands and shows what is committed.

`python tests/test_notebook.py` runs it and writes what its cells show. Jupyter is not needed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat

FILE = Path(__file__).resolve().parents[1] / "docs" / "your-own-results.ipynb"


def shown(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, and the value of its last line if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if value is not None:
        html = getattr(value, "_repr_html_", lambda: None)()
        # A reader of HTML needs no second, longer form.
        data = {"text/html": html} if html else {"text/plain": repr(value)}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return outputs


def executed(notebook: Any) -> Any:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(o) for o in shown(cell.source, names)]
    return notebook


def test_the_notebook_shows_what_it_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    committed = nbformat.read(FILE, as_version=4)
    nbformat.validate(committed)
    again = executed(nbformat.read(FILE, as_version=4))
    assert len([c for c in again.cells if c.cell_type == "code" and c.outputs]) >= 4
    assert json.loads(nbformat.writes(again)) == json.loads(nbformat.writes(committed))


if __name__ == "__main__":
    found = nbformat.read(FILE, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        nbformat.write(executed(found), FILE)
