"""Tables of other people, CSV or Parquet: their column names, long or wide, items or means."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from lawcheck.errors import InputError, nearest
from lawcheck.judging.importing.placement import ImportMap, Placement, Placer
from lawcheck.scores import TaskPlace
from lawcheck.scores.files import COLUMNS, SCHEMA, typed

MEAN = "mean"
PER_RUN = "per-run means, no items: judged over seeds only"


@dataclass(frozen=True)
class Table:
    """rows: with the score table's columns. lost: rows without an arm or a seed."""

    rows: pa.Table
    lost: list[str]
    notes: list[str]


def read_table(
    path: Path, mapping: ImportMap, placer: Placer, places: Mapping[str, TaskPlace]
) -> Table:
    """A table in long form (one row per item, or per run and task) or wide form (a column a task).

    Wide form has no `task` and no `value`: its task columns are those that a discipline or the
    mapping names, an empty cell is a task not evaluated. Raises InputError (one line) otherwise.
    """
    origin = f"import {path}"
    table = _renamed(_read(path, origin), mapping, origin)
    notes: list[str] = []
    wide = "value" not in table.column_names and "task" not in table.column_names
    if wide:
        table = _long(table, mapping, places, origin, notes)
    elif "item_id" not in table.column_names:
        table = table.append_column("item_id", pa.repeat(MEAN, len(table)))
        notes.append(f"{path}: {PER_RUN}")
    extra = [c for c in table.column_names if c not in COLUMNS]
    if extra:
        notes.append(f"{path}: columns left out: {', '.join(extra)}")
        table = table.drop_columns(extra)
    table, lost = _placed(table, placer, origin, str(path))
    if "task" in table.column_names and mapping.tasks:
        table = _retasked(table, mapping)
    if "value" in table.column_names:
        at = table.column_names.index("value")
        table = table.set_column(at, "value", _numbers(table.column("value"), mapping, origin))
    return Table(typed(table, origin), lost, notes)


def _read(path: Path, origin: str) -> pa.Table:
    try:
        if path.suffix.lower() != ".csv":
            return pa.parquet.read_table(path, partitioning=None)
        # Everything as text first: ids such as 07 must stay what they are.
        names = pa.csv.open_csv(path).schema.names
        kinds = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return pa.csv.read_csv(path, convert_options=kinds)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError) as error:
        what = "CSV" if path.suffix.lower() == ".csv" else "Parquet"
        raise InputError(
            f"{origin}: not a {what} table ({_line(error)}); export it again"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _renamed(table: pa.Table, mapping: ImportMap, origin: str) -> pa.Table:
    names = table.column_names
    for ours, theirs in mapping.columns.items():
        if ours not in COLUMNS:
            raise InputError(
                f"{origin}: mapping names column {ours!r}, expected one of {', '.join(COLUMNS)} "
                f"({nearest(ours, COLUMNS)})"
            )
        if theirs not in names:
            raise InputError(
                f"{origin}: mapping takes {ours!r} from column {theirs!r}, which is not there "
                f"({nearest(theirs, names)})"
            )
    theirs_to_ours = {t: o for o, t in mapping.columns.items()}
    # A column that gives way to a mapped one keeps its cells under another name.
    taken = {o for o, t in mapping.columns.items() if o != t}
    names = [theirs_to_ours.get(n, f"{n} (theirs)" if n in taken else n) for n in names]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"{origin}: column {twice[0]!r} is there twice; rename one")
    return table.rename_columns(names)


def _long(
    table: pa.Table,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    origin: str,
    notes: list[str],
) -> pa.Table:
    known = [c for c in table.column_names if c in COLUMNS]
    rest = [c for c in table.column_names if c not in COLUMNS]
    tasks = [c for c in rest if c in places or mapping.task(c) != c]
    if not tasks:
        raise InputError(
            f"{origin}: neither 'task' and 'value' nor a column named like a task, found "
            f"{', '.join(table.column_names)}; name columns or tasks in --map"
        )
    if len(tasks) < len(rest):
        left = ", ".join(c for c in rest if c not in tasks)
        notes.append(f"{origin.removeprefix('import ')}: columns left out: {left}")
    notes.append(f"{origin.removeprefix('import ')}: {PER_RUN}")
    pieces = []
    for task in tasks:
        piece = table.select([*known, task]).rename_columns([*known, "value"])
        piece = piece.append_column("task", pa.repeat(task, len(table)))
        piece = piece.append_column("item_id", pa.repeat(MEAN, len(table)))
        pieces.append(piece.filter(_given(piece.column("value"))))
    return pa.concat_tables(pieces)


def _given(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which cells hold something."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), False)
    return column.is_valid()


def _placed(table: pa.Table, placer: Placer, origin: str, name: str) -> tuple[pa.Table, list[str]]:
    """The table with arm and seed in every row; rows without them are taken out and named."""
    said = {"arm": placer.arm, "seed": placer.seeds}
    for column, value in said.items():
        if value is not None and column in table.column_names:
            raise InputError(f"{origin}: has a column {column!r}; leave out --{column}")
    missing = [c for c in ("arm", "seed") if c not in table.column_names]
    lost: list[str] = []
    if missing:
        labels = (
            table.column("run_id").cast(pa.string())
            if "run_id" in table.column_names
            else pa.chunked_array([pa.repeat(path_label(name), len(table))])
        )
        # What the table says itself need not stand in a name.
        placer = dataclasses.replace(
            placer,
            arm=placer.arm if "arm" in missing else "",
            seeds=placer.seeds if "seed" in missing else (0,),
        )
        distinct = labels.unique().to_pylist()
        found = {label: placer.place([label] if label else []) for label in distinct}
        lost += [
            f"{name}: {run!r} ({p})" for run, p in found.items() if not isinstance(p, Placement)
        ]
        pieces = []
        for label, place in found.items():
            if not isinstance(place, Placement):
                continue
            mine = table.filter(pc.equal(labels, label))
            for seed in place.seeds if "seed" in missing else place.seeds[:1]:
                piece = mine
                if "arm" in missing:
                    piece = piece.append_column("arm", pa.repeat(place.arm, len(mine)))
                if "seed" in missing:
                    piece = piece.append_column("seed", pa.repeat(seed, len(mine)))
                pieces.append(piece)
        table = pa.concat_tables(pieces) if pieces else _nothing()
    for column in ("arm", "seed"):
        whole = _given(table.column(column))
        empty = pc.sum(pc.invert(whole)).as_py()
        if empty:
            first = pc.index(whole, False).as_py()
            lost.append(f"{name}: {empty} rows with empty {column}, first in data row {first + 1}")
            table = table.filter(whole)
    if table.num_rows and pa.types.is_string(table.column("seed").type):
        table = table.set_column(
            table.column_names.index("seed"), "seed", _whole(table.column("seed"), origin)
        )
    return table, lost


def path_label(path: str) -> str:
    """A table without run ids is one run, known by its file."""
    return Path(path).stem


def _nothing() -> pa.Table:
    return SCHEMA.empty_table()


def _whole(column: pa.ChunkedArray, origin: str) -> pa.ChunkedArray:
    try:
        return pc.cast(pc.utf8_trim_whitespace(column), pa.int64())
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{origin}: column 'seed' holds no whole numbers ({_line(error)}); number the seeds"
        ) from error


def _numbers(column: pa.ChunkedArray, mapping: ImportMap, origin: str) -> pa.ChunkedArray:
    """Values as shares; true and false count 1 and 0, an empty cell stays unscored."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
        text = pc.if_else(pc.equal(text, "true"), "1", text)
        text = pc.if_else(pc.equal(text, "false"), "0", text)
        column = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    try:
        values = pc.cast(column, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{origin}: column 'value' holds no numbers ({_line(error)})") from error
    if mapping.percent:
        return pc.divide(values, 100.0)
    largest = pc.max(values).as_py()
    if largest is not None and 1 < largest <= 100:
        raise InputError(
            f"{origin}: value {largest:g}, expected 0 to 1; if these are percentages, write "
            f"'percent: true' into the mapping (--map)"
        )
    return values


def _retasked(table: pa.Table, mapping: ImportMap) -> pa.Table:
    """Tasks under their mapped names; items of a renamed task carry its own name in front."""
    own = table.column("task").cast(pa.string())
    items = table.column("item_id").cast(pa.string())
    names = {t: mapping.task(t) for t in own.unique().to_pylist() if t is not None}
    moved = [t for t, to in names.items() if t != to]
    to = own
    for task in moved:
        mine = pc.equal(own, task)
        to = pc.if_else(mine, names[task], to)
        items = pc.if_else(mine, pc.binary_join_element_wise(task, items, "/"), items)
    table = table.set_column(table.column_names.index("task"), "task", to)
    return table.set_column(table.column_names.index("item_id"), "item_id", items)
