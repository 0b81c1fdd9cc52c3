"""Score tables on disk: Parquet or CSV in, compact Parquet out. Rows are not compared here."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from lawcheck.declare.design import Score
from lawcheck.errors import InputError, nearest
from lawcheck.files.atomic import atomic_file
from lawcheck.files.reading import read_text

COLUMNS = ("run_id", "arm", "seed", "task", "item_id", "cluster", "metric", "value")
OPTIONAL = {"run_id": "", "cluster": "", "metric": "score"}
TEXT = tuple(c for c in COLUMNS if c not in ("seed", "value"))
CODES = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [(c, pa.int64() if c == "seed" else pa.float64() if c == "value" else CODES) for c in COLUMNS]
)

# As Arrow says it.
NO_NUMBER = re.compile(
    r"CSV column #(?P<column>\d+).* error to (?P<type>int64|double|bool): "
    r"invalid value '(?P<found>.*)'"
)
OTHER_FORMS = "; lawcheck import reads tables of other forms"
# Rows from which a file's values are known to be True and False.
LOOKED_AT = 1_000
TRUTHS = {"true", "false"}


def csv_options(path: Path) -> pa.csv.ConvertOptions:
    """Ids stay text even where they look like numbers; only seed and value are numbers.

    A score of True or False, as pandas writes a comparison, is 1 or 0.
    """
    value = pa.bool_() if _is_true_or_false(path) else pa.float64()
    return pa.csv.ConvertOptions(
        column_types=dict.fromkeys(TEXT, CODES) | {"seed": pa.int64(), "value": value},
        strings_can_be_null=False,
    )


def _is_true_or_false(path: Path) -> bool:
    found: set[str] = set()
    # What is wrong with a file is said by who reads it.
    with (
        contextlib.suppress(csv.Error),
        path.open(encoding="utf-8-sig", errors="replace", newline="") as file,
    ):
        rows = csv.reader(file)
        names = next(rows, [])
        if "value" in names:
            at = names.index("value")
            found = {row[at].lower() for row in itertools.islice(rows, LOOKED_AT) if at < len(row)}
    return bool(found & TRUTHS) and found <= {*TRUTHS, ""}


def parquet() -> Any:
    """pyarrow.parquet, whose import a CSV file does without."""
    import pyarrow.parquet

    return pyarrow.parquet


def read_rows(paths: Iterable[Path]) -> pa.Table:
    """Rows of score files under one schema, in file order, without comparing rows."""
    tables = [_read(Path(p)) for p in paths]
    if not tables:
        raise InputError("scores: no file given; name at least one score table")
    return pa.concat_tables(tables).unify_dictionaries()


def write_scores(
    rows: pa.Table | Mapping[str, Sequence[object]] | Iterable[Score], path: Path
) -> None:
    """Write rows as compact Parquet, in canonical order, all or nothing."""
    table = typed(rows, str(path)) if isinstance(rows, pa.Table) else table_of(rows, str(path))
    names, codes = zip(*(coded(table.column(c)) for c in TEXT), strict=True)
    code = dict(zip(TEXT, codes, strict=True))
    seeds = numbers(table.column("seed"))
    # The last key of lexsort is the first to sort by.
    keys = (code["run_id"], code["item_id"], seeds, code["arm"], code["metric"], code["task"])
    order = np.lexsort(keys)
    columns = dict(zip(TEXT, names, strict=True))
    table = pa.table(
        [
            pa.DictionaryArray.from_arrays(code[c][order], pa.array(columns[c], pa.string()))
            if c in code
            else table.column(c).take(order)
            for c in COLUMNS
        ],
        schema=SCHEMA,
    )
    with atomic_file(Path(path)) as part:
        parquet().write_table(table, part, compression="zstd", use_dictionary=True)


def table_of(
    rows: Mapping[str, Sequence[object]] | Iterable[Score], origin: str = "scores"
) -> pa.Table:
    if not isinstance(rows, Mapping):
        rows = list(rows)
        rows = {c: [getattr(r, c) for r in rows] for c in COLUMNS}
    return typed(pa.table({c: pa.array(v) for c, v in rows.items()}), origin)


def _read(path: Path) -> pa.Table:
    require_file(path)
    if path.suffix.lower() == ".csv":
        with csv_fault(path):
            table = pa.csv.read_csv(path, convert_options=csv_options(path))
            # A header that is no UTF-8 text fails when it is asked for.
            table.column_names  # noqa: B018
    else:
        with parquet_fault(path):
            table = parquet().read_table(path, read_dictionary=list(TEXT), partitioning=None)
    return typed(table, f"scores {path}", OTHER_FORMS)


def require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"scores {path}: no such file; name a Parquet or CSV score table")


@contextlib.contextmanager
def csv_fault(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        line = _line(error)
        with path.open("rb") as file:
            wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        if wide or isinstance(error, UnicodeDecodeError) or "UTF8" in line:
            read_text(path, "export it again as UTF-8", f"scores {path}")
        if cell := NO_NUMBER.search(line):
            kind = "a whole number" if cell["type"] == "int64" else "0 to 1, or empty for unscored"
            raise InputError(
                f"scores {path}: not a CSV score table (column "
                f"{_header(path, int(cell['column']))} holds {cell['found']!r}, expected {kind}); "
                f"correct it"
            ) from error
        raise InputError(
            f"scores {path}: not a CSV score table ({_line(error)}){OTHER_FORMS}"
        ) from error


def _header(path: Path, at: int) -> str:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    return repr(names[at]) if at < len(names) else f"number {at + 1}"


@contextlib.contextmanager
def parquet_fault(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"scores {path}: not a Parquet file ({_line(error)}); give .parquet or .csv"
        ) from error


def coded(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """Sorted distinct names that occur, and each row's index into them."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    given = array.dictionary.to_pylist()
    codes = np.from_dlpack(array.indices)
    used = np.flatnonzero(np.bincount(codes, minlength=len(given)))
    # A dictionary may hold one string twice; equal strings must get one code.
    names = sorted({given[k] for k in used})
    place = {n: k for k, n in enumerate(names)}
    translate = np.zeros(len(given), dtype=np.int32)
    translate[used] = [place[given[k]] for k in used]
    return names, translate[codes]


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Cells of a column without nulls. Arrow's own to_numpy imports pandas."""
    array = column.combine_chunks()
    return np.from_dlpack(array.chunk(0) if isinstance(array, pa.ChunkedArray) else array)


def picked(
    table: pa.Table, where: NDArray[np.bool_], columns: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows there, as the cells of these columns."""
    if not where.any():
        return iter(())
    mask = pa.array(where)
    return zip(*(table.column(c).filter(mask).to_pylist() for c in columns), strict=True)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def typed(table: pa.Table, origin: str, step: str = "") -> pa.Table:
    """The table with exactly COLUMNS and their types, whatever their order was.

    step: what else could be done about columns that are not these, the end of the line.
    """
    names = table.column_names
    unknown = [c for c in names if c not in COLUMNS]
    if unknown or len(set(names)) != len(names):
        wrong = unknown[0] if unknown else next(c for c in names if names.count(c) > 1)
        raise InputError(
            f"{origin}: column {wrong!r} is {'unknown' if unknown else 'there twice'}; "
            f"expected {', '.join(COLUMNS)} ({nearest(wrong, COLUMNS)}){step}"
        )
    lost = [c for c in COLUMNS if c not in names and c not in OPTIONAL]
    if lost:
        raise InputError(f"{origin}: column {lost[0]!r} is missing; found {', '.join(names)}{step}")
    columns = []
    for name in COLUMNS:
        if name not in names:
            column = pa.chunked_array([_constant(OPTIONAL[name], len(table))])
        else:
            column = table.column(name)
            if name != "value" and column.null_count:
                raise InputError(f"{origin}: column {name!r} has empty cells; fill every one")
            try:
                column = _cast(column, name)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                kind = "whole numbers" if name == "seed" else "numbers"
                kind = "text" if name in TEXT else kind
                raise InputError(
                    f"{origin}: column {name!r} is {column.type}, expected {kind} ({_line(error)})"
                ) from error
        columns.append(column)
    return pa.table(columns, schema=SCHEMA)


def _constant(text: str, n: int) -> pa.DictionaryArray:
    # pa.array and casts import pandas and pyarrow.compute, a third of the time of a small table.
    held = text.encode()
    ends = np.array([0, len(held)], dtype=np.int32).tobytes()
    word = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(held)])
    codes = pa.Array.from_buffers(pa.int32(), n, [None, pa.py_buffer(bytes(4 * n))])
    return pa.DictionaryArray.from_arrays(codes, word)


def _cast(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = {"seed": pa.int64(), "value": pa.float64()}.get(name, CODES)
    column = column if column.type == kind else _converted(column, kind)
    if name == "value":
        return column.fill_null(float("nan")) if column.null_count else column
    return column if name == "seed" else _utf8(column)


def _converted(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(kind) or pa.types.is_dictionary(column.type):
        return column.cast(kind)
    if pa.types.is_null(column.type):
        return pa.chunked_array([pa.array([], type=CODES)])
    return column.cast(pa.string()).dictionary_encode().cast(CODES)


def _utf8(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, once its texts are UTF-8, which no reader of Parquet looks at."""
    for chunk in column.chunks:
        chunk.dictionary.validate(full=True)
    return column
