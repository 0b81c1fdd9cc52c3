"""Score tables beyond memory: sorted on disk, checked a part at a time, then mapped.

The result is the `ScoreTable` that `checks.check` makes of the same rows: equal order, codes,
digests and refusals. Only its columns lie in a file that the system pages in as they are read.
Memory holds one batch, one part, and every distinct name once.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from lawcheck.errors import InputError
from lawcheck.scores.files import (
    OTHER_FORMS,
    TEXT,
    csv_fault,
    csv_options,
    parquet,
    parquet_fault,
    picked,
    require_file,
    typed,
)
from lawcheck.scores.metrics import (
    DIVERGED,
    FAULT,
    FAULTY_ITEM,
    LOST_RUN,
    Faults,
    bounds,
    diverged_runs,
    faults_by_run,
)

# Measured in memory: about 200 bytes a row at the peak, so 2 GB; and bytes of a CSV file.
IN_MEMORY_ROWS, IN_MEMORY_BYTES = 10_000_000, 400_000_000
BATCH, PART = 1 << 19, 1 << 20  # rows
MOST_PARTS = 512  # files open at once
MOST_NAMES = 20_000_000  # distinct names of a column; each is a string in memory
ROW = np.dtype([("unit", "<i4"), ("item", "<i4"), ("cluster", "<i4"), ("value", "<f8")])
Unit = tuple[int, int, int, int]  # codes of task, metric and arm; seed


@dataclass
class Names:
    """Code of every distinct text of a column, in the order of their coming."""

    column: str
    codes: dict[str, int] = field(default_factory=dict)

    def of(self, column: pa.ChunkedArray, origin: str) -> NDArray[np.int32]:
        """Each row's code."""
        array = column.combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        given, indices = array.dictionary, array.indices.to_numpy()
        used = np.flatnonzero(np.bincount(indices, minlength=len(given)))
        translate = np.zeros(len(given), dtype=np.int32)
        codes = self.codes
        translate[used] = [codes.setdefault(n, len(codes)) for n in given.take(used).to_pylist()]
        if len(codes) > MOST_NAMES:
            raise InputError(
                f"{origin}: column {self.column!r} has more than {MOST_NAMES:,} different names, "
                f"too many to hold; judge fewer arms or items at a time"
            )
        return translate[indices]

    def ordered(self) -> tuple[list[str], NDArray[np.int32]]:
        """Sorted names, and the place of every code among them."""
        names = sorted(self.codes)
        place = np.empty(len(names), dtype=np.int32)
        place[[self.codes[n] for n in names]] = np.arange(len(names), dtype=np.int32)
        return names, place


@dataclass(frozen=True)
class Sorted:
    """Columns in canonical order (task, metric, arm, seed, item), mapped from disk.

    names: sorted, of each text column. units: task, metric, arm (places in names) and seed of
    each run of rows; first: where it begins. twice, wrong: first faulty row in canonical order.
    """

    names: dict[str, list[str]]
    units: list[Unit]
    first: NDArray[np.int64]
    item: NDArray[np.int32]
    cluster: NDArray[np.int32]
    value: NDArray[np.float64]
    diverged: dict[tuple[str, int], int]
    faults: Faults
    lowest_seed: int
    n_rows: int
    twice: int | None
    wrong: int | None
    # Whether any item, of these metrics, has a value.
    valued: frozenset[str]


def is_large(paths: Sequence[Path], rows: int = IN_MEMORY_ROWS) -> bool:
    """Whether the files together are beyond what is read at once."""
    total = 0.0
    for path in paths:
        if not path.is_file():
            continue  # Reading it names the fault.
        if path.suffix.lower() == ".csv":
            total += path.stat().st_size * (IN_MEMORY_ROWS / IN_MEMORY_BYTES)
            continue
        try:
            total += parquet().read_metadata(path).num_rows
        except (pa.ArrowInvalid, OSError):
            continue
    return total > rows


def sort_rows(paths: Sequence[Path], origin: str) -> Sorted:
    """Sort the rows of score files on disk.

    Needs about 20 bytes a row of room for temporary files, in TMPDIR. Raises InputError as
    `read_rows` does, and where there is no such room.
    """
    with tempfile.TemporaryDirectory(prefix="lawcheck-scores-") as folder:
        # The files stay readable through their mappings when the folder is gone.
        return _sorted(paths, Path(folder), origin)


def _sorted(paths: Sequence[Path], folder: Path, origin: str) -> Sorted:
    names = {c: Names(c) for c in TEXT if c != "run_id"}
    units: dict[Unit, int] = {}
    counts: list[int] = []
    lost: set[tuple[str, int, str]] = set()
    faulty: list[tuple[str, str, str, int, float]] = []
    estimate = _room(paths, folder, origin)
    parts = min(MOST_PARTS, max(1, -(-estimate // PART)))
    n_rows, lowest = 0, 0
    with ExitStack() as stack:
        files = [stack.enter_context((folder / f"part{k}").open("wb")) for k in range(parts)]
        for table in _batches(paths):
            codes = {c: n.of(table.column(c), origin) for c, n in names.items()}
            seeds = table.column("seed").to_numpy()
            values = table.column("value").to_numpy()
            n_rows += len(table)
            lowest = min(lowest, int(seeds.min()))
            keep = np.ones(len(table), dtype=bool)
            if DIVERGED in names["metric"].codes:
                marks = codes["metric"] == names["metric"].codes[DIVERGED]
                lost.update(picked(table, marks & (values > 0), LOST_RUN))
                keep &= ~marks
            if FAULT in names["metric"].codes:
                marks = codes["metric"] == names["metric"].codes[FAULT]
                faulty += picked(table, marks, FAULTY_ITEM)
                keep &= ~marks
            found = _units(codes, seeds, keep, units, counts)
            _deal(files, found, codes, values[keep], keep)
    ordered = {c: n.ordered() for c, n in names.items()}
    task_place, metric_place, arm_place = (ordered[c][1] for c in ("task", "metric", "arm"))
    final = [
        (int(task_place[t]), int(metric_place[m]), int(arm_place[a]), seed)
        for t, m, a, seed in units
    ]
    order = sorted(range(len(final)), key=final.__getitem__)
    first = np.zeros(len(order), dtype=np.int64)
    if order:
        first[1:] = np.cumsum([counts[u] for u in order])[:-1]
    start = np.empty(len(order), dtype=np.int64)
    start[order] = first
    metric_of = np.array([u[1] for u in units], dtype=np.int64)
    columns, twice, wrong, valued = _settle(
        folder,
        parts,
        start,
        sum(counts),
        ordered["item_id"][1],
        ordered["cluster"][1],
        metric_of,
        bounds(names["metric"].codes),
    )
    metrics = {k: n for n, k in names["metric"].codes.items()}
    return Sorted(
        names={c: found for c, (found, _) in ordered.items()},
        units=[final[u] for u in order],
        first=first,
        item=columns["item"],
        cluster=columns["cluster"],
        value=columns["value"],
        diverged=diverged_runs(lost),
        faults=faults_by_run(faulty),
        lowest_seed=lowest,
        n_rows=n_rows,
        twice=twice,
        wrong=wrong,
        valued=frozenset(metrics[k] for k in valued),
    )


def _room(paths: Sequence[Path], folder: Path, origin: str) -> int:
    """About how many rows there are. Raises InputError where the disk cannot hold them."""
    rows = 0
    for path in paths:
        require_file(path)
        if path.suffix.lower() == ".csv":
            rows += path.stat().st_size // 20
            continue
        with parquet_fault(path):
            rows += parquet().read_metadata(path).num_rows
    needed, free = (ROW.itemsize + 1) * rows, shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{origin}: about {rows:,} rows need {needed / 1e9:.1f} GB of temporary files, found "
            f"{free / 1e9:.1f} GB free in {str(folder.parent)!r}; set TMPDIR to a folder with "
            f"more room, or judge fewer arms at a time"
        )
    return rows


def _batches(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """Typed pieces of the files, in order; the columns of an empty file are checked too."""
    for path in paths:
        origin = f"scores {path}"
        if path.suffix.lower() == ".csv":
            with (
                csv_fault(path),
                pa.csv.open_csv(path, convert_options=csv_options(path)) as reader,
            ):
                typed(reader.schema.empty_table(), origin, OTHER_FORMS)
                for batch in reader:
                    if len(batch):
                        yield typed(pa.Table.from_batches([batch]), origin)
            continue
        with (
            parquet_fault(path),
            parquet().ParquetFile(path, read_dictionary=list(TEXT)) as file,
        ):
            typed(file.schema_arrow.empty_table(), origin, OTHER_FORMS)
            for batch in file.iter_batches(batch_size=BATCH):
                if len(batch):
                    yield typed(pa.Table.from_batches([batch]), origin)


def _units(
    codes: dict[str, NDArray[np.int32]],
    seeds: NDArray[np.int64],
    keep: NDArray[np.bool_],
    units: dict[Unit, int],
    counts: list[int],
) -> NDArray[np.int64]:
    """Number of the unit of each kept row; new units are added, and all counted."""
    group = np.zeros(int(keep.sum()), dtype=np.int64)
    columns: list[NDArray[Any]] = [*(codes[c][keep] for c in ("task", "metric", "arm"))]
    columns.append(seeds[keep])
    for column in columns:
        # Dense after every column, so that no product of sizes can overflow.
        values, part = np.unique(column, return_inverse=True)
        _, group = np.unique(group * max(values.size, 1) + part, return_inverse=True)
    _, at, group, n = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    numbers = np.empty(at.size, dtype=np.int64)
    for k, (row, count) in enumerate(zip(at.tolist(), n.tolist(), strict=True)):
        task, metric, arm, seed = (int(c[row]) for c in columns)
        numbers[k] = number = units.setdefault((task, metric, arm, seed), len(units))
        if number == len(counts):
            counts.append(0)
        counts[number] += count
    return numbers[group]


def _deal(
    files: Sequence[Any],
    unit: NDArray[np.int64],
    codes: dict[str, NDArray[np.int32]],
    values: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> None:
    """Append each row to the part of its unit."""
    rows = np.empty(unit.size, dtype=ROW)
    rows["unit"], rows["value"] = unit, values
    rows["item"], rows["cluster"] = codes["item_id"][keep], codes["cluster"][keep]
    part = unit % len(files)
    rows = rows[np.argsort(part, kind="stable")]
    ends = np.cumsum(np.bincount(part, minlength=len(files)))
    for file, start, end in zip(files, [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows[start:end].tofile(file)


def _settle(
    folder: Path,
    parts: int,
    start: NDArray[np.int64],
    n_rows: int,
    item_place: NDArray[np.int32],
    cluster_place: NDArray[np.int32],
    metric_of: NDArray[np.int64],
    limits: NDArray[np.float64],
) -> tuple[dict[str, NDArray[Any]], int | None, int | None, set[int]]:
    """Sort every part and put its rows where they belong; the part's file is removed.

    limits: (2, metrics) as of `bounds`. Returns the mapped columns; the first row, in canonical
    order, that stands twice and the first whose value is none; and the metrics (codes) with any
    value.
    """
    twice: list[int] = []
    wrong: list[int] = []
    valued: set[int] = set()
    kinds: dict[str, np.dtype[Any]] = {c: ROW[c] for c in ("item", "cluster", "value")}
    with ExitStack() as stack:
        files = {c: stack.enter_context((folder / c).open("wb")) for c in kinds}
        for k in range(parts):
            path = folder / f"part{k}"
            rows = np.fromfile(path, dtype=ROW)
            path.unlink()
            if not rows.size:
                continue
            item = item_place[rows["item"]]
            order = np.lexsort((item, start[rows["unit"]]))
            rows, item = rows[order], item[order]
            unit, value = rows["unit"], rows["value"]
            sorted_columns = {"item": item, "cluster": cluster_place[rows["cluster"]]}
            sorted_columns["value"] = value
            heads = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
            ends = np.r_[heads[1:], unit.size]
            places = start[unit] + np.arange(unit.size) - np.repeat(heads, ends - heads)
            same = (unit[1:] == unit[:-1]) & (item[1:] == item[:-1])
            twice += [int(places[:-1][same].min())] if same.any() else []
            low, high = limits[:, metric_of[unit]]
            bad = (value < low) | (value > high)
            wrong += [int(places[bad].min())] if bad.any() else []
            valued.update(metric_of[np.unique(unit[~np.isnan(value)])].tolist())
            for name, column in sorted_columns.items():
                for head, end in zip(heads.tolist(), ends.tolist(), strict=True):
                    files[name].seek(int(start[unit[head]]) * kinds[name].itemsize)
                    files[name].write(np.ascontiguousarray(column[head:end]).tobytes())
    mapped: dict[str, Any] = {c: np.empty(0, dtype=kind) for c, kind in kinds.items()}
    if n_rows:
        mapped = {c: np.memmap(folder / c, kind, "r", shape=(n_rows,)) for c, kind in kinds.items()}
    return mapped, min(twice, default=None), min(wrong, default=None), valued
