"""Scores for a judgement, in whatever form they come: a score table, or what `import` reads."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lawcheck.errors import InputError
from lawcheck.files.spool import named
from lawcheck.scores import COLUMNS, ScoreTable, load_scores
from lawcheck.scores.files import OPTIONAL, parquet
from lawcheck.scores.loading import files_of

if TYPE_CHECKING:
    from lawcheck.judging.importing import ImportMap

NEEDED = set(COLUMNS) - set(OPTIONAL)


def read_scores(
    paths: str | Path | Sequence[str | Path], mapping: ImportMap | None = None
) -> tuple[ScoreTable, tuple[str, ...]]:
    """The checked table, and notes of an import on what was chosen, joined or left out.

    Files with a score table's columns are read as one; anything else is imported first, with the
    mapping. Raises InputError as `load_scores` and `import_scores` do.
    """
    files = files_of(paths)
    columns = [_columns(f) for f in files]
    if mapping is None and all(c is None or NEEDED <= c <= set(COLUMNS) for c in columns):
        return load_scores(files), ()
    from lawcheck.judging.importing import OUTSIDE, import_scores

    with tempfile.TemporaryDirectory(prefix="lawcheck-import-") as folder:
        out = Path(folder) / "scores.parquet"
        try:
            found = import_scores(files, out, mapping=mapping).notes
        except InputError:
            if mapping is None and all(c is None or "item_id" in c for c in columns):
                load_scores(files)  # A score table but for a name: its own line says which.
            raise
        # A verdict itself counts the rows that no part of its law is about.
        return load_scores(out), tuple(named(n) for n in found if not n.startswith(OUTSIDE))


def _columns(path: Path) -> set[str] | None:
    """Of a table that can be read; empty for other forms; None where reading it names the fault."""
    if not path.is_file():
        return set() if path.is_dir() else None
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return set(next(csv.reader(file), ())) or None
        if path.suffix.lower() == ".parquet":
            return set(parquet().read_schema(path).names)
    except (OSError, ValueError, csv.Error):  # Arrow's own errors are ValueErrors.
        return None
    return set()
