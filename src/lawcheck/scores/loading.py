"""Score files as one checked table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from lawcheck.declare.design import Score
from lawcheck.errors import InputError
from lawcheck.scores.checks import check, check_sorted
from lawcheck.scores.files import read_rows, table_of, write_scores
from lawcheck.scores.sorting import IN_MEMORY_ROWS, is_large, sort_rows
from lawcheck.scores.table import ScoreTable


def load_scores(
    paths: str | Path | Iterable[str | Path], in_memory_rows: int = IN_MEMORY_ROWS
) -> ScoreTable:
    """Read Parquet or CSV files as one checked score table.

    in_memory_rows: a table of more rows is sorted on disk instead, to the same result. run_id,
    cluster and metric may be left out of a file. An empty value is an unscored item. Raises
    InputError (one line) for anything that could bend a verdict: see `check`.
    """
    files = files_of(paths)
    origin = str(files[0]) if len(files) == 1 else f"{len(files)} score files"
    if is_large(files, in_memory_rows):
        return check_sorted(sort_rows(files, origin), origin)
    return check(read_rows(files), origin)


def files_of(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Raises InputError for what names no files, such as a table in memory."""
    if isinstance(paths, str | Path):
        return [Path(paths)]
    try:
        # A DataFrame would give the names of its columns.
        files = None if hasattr(paths, "columns") else [Path(p) for p in paths]
    except TypeError:
        files = None
    if files is None:
        raise InputError(
            f"scores: a {type(paths).__name__}, expected names of files; write a table to one "
            f"first, as in frame.to_csv('scores.csv', index=False)"
        )
    return files


def concatenate(paths: Iterable[Path], target: Path, more: Sequence[Score] = ()) -> None:
    """One score table from many files and further rows, checked as a whole before it is written."""
    rows = read_rows(paths)
    if more:
        rows = pa.concat_tables([rows, table_of(more)]).unify_dictionaries()
    check(rows, str(target))
    write_scores(rows, target)
