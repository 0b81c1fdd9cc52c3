"""The score table: one row per (run, task, item), checked once, read by everything after.

Strings are held as dictionary codes and rows in one canonical order, so that a table of
millions of rows pivots in seconds and the order of the rows in a file changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lawcheck.design import Discipline
from lawcheck.errors import InputError
from lawcheck.score_files import COLUMNS, SCHEMA, coded, concatenate, read_rows, write_scores
from lawcheck.score_streams import (
    IN_MEMORY_ROWS,
    Faults,
    Sorted,
    Unit,
    by_run,
    is_large,
    sort_rows,
)

ROUTING, DIVERGED, DISTINCT = "routing_probability", "diverged", "distinct_ngrams"
# What scoring found wrong with a run's answers; its rows exist only where something was found.
FAULT = "fault"
# Metrics that describe a run; every other metric scores items.
MEASUREMENTS = frozenset({ROUTING, DIVERGED, DISTINCT, FAULT})

__all__ = [
    "COLUMNS",
    "DISTINCT",
    "DIVERGED",
    "FAULT",
    "MEASUREMENTS",
    "ROUTING",
    "SCHEMA",
    "ScoreTable",
    "TaskPlace",
    "check",
    "concatenate",
    "load_scores",
    "read_rows",
    "task_places",
    "write_scores",
]


@dataclass(frozen=True)
class TaskPlace:
    """Where a task belongs. role: `average` (a discipline of the mean), or a companion's role."""

    discipline: str
    role: str


def task_places(
    disciplines: Iterable[Discipline], world: str | None = None
) -> dict[str, TaskPlace]:
    """Place of every declared task, of one kind of scale or of all; and of the disciplines' names.

    A task named like a discipline is that discipline. Raises InputError where two disciplines
    declare the same task.
    """
    places: dict[str, TaskPlace] = {}
    for d in disciplines:
        place = TaskPlace(d.name, "average" if d.role == "discipline" else d.role)
        worlds = [w for name, w in d.worlds.items() if world in (None, name)]
        for name in [d.name, *(t.name for w in worlds for t in w.tasks)]:
            if places.setdefault(name, place) != place:
                raise InputError(
                    f"task {name!r}: declared by disciplines {places[name].discipline!r} and "
                    f"{d.name!r}; rename one"
                )
    return places


@dataclass(frozen=True)
class Block:
    """All scores of one (task, metric, arm): equal items for every seed unless ragged.

    seeds: ascending. start: first row of each seed, and the end.
    """

    seeds: NDArray[np.int64]
    start: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Checked scores in canonical order (task, metric, arm, seed, item).

    arms, tasks, metrics: sorted names that occur. item_metric: the metric that scores each
    task's items. diverged: distinct diverged runs per (arm, seed). faults: (task, fault, share
    of its items) per (arm, seed), as scoring wrote them.
    """

    arms: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    item_metric: Mapping[str, str]
    diverged: Mapping[tuple[str, int], int]
    faults: Mapping[tuple[str, int], tuple[tuple[str, str, float], ...]]
    n_rows: int
    _names: Mapping[str, list[str]] = field(repr=False)
    _codes: Mapping[str, NDArray[np.int32]] = field(repr=False)
    _values: NDArray[np.float64] = field(repr=False)
    _blocks: Mapping[tuple[str, str], Mapping[str, Block]] = field(repr=False)

    @property
    def measured(self) -> frozenset[tuple[str, str]]:
        """Every (task, metric) that has rows."""
        return frozenset(self._blocks)

    def seeds(self, arm: str, task: str, metric: str | None = None) -> tuple[int, ...]:
        """Seeds of `arm` that have rows for the task's item metric (or for `metric`)."""
        block = self._block(arm, task, metric)
        return () if block is None else tuple(block.seeds.tolist())

    def cube(
        self, arm: str, task: str, seeds: Sequence[int], metric: str | None = None
    ) -> NDArray[np.float64]:
        """(n_seeds, n_items) values in the order of `seeds` and `items`; NaN = unscored.

        Raises InputError where a seed has no rows or another set of items.
        """
        block = self._block(arm, task, metric)
        have = {} if block is None else {s: k for k, s in enumerate(block.seeds.tolist())}
        lost = [s for s in seeds if s not in have]
        if block is None or lost:
            raise InputError(
                f"scores: arm {arm!r} has no rows of task {task!r} for seeds "
                f"{list(seeds) if block is None else lost}; evaluate them"
            )
        rows = [slice(block.start[have[s]], block.start[have[s] + 1]) for s in seeds]
        items = self._codes["item_id"]
        for s, r in zip(seeds, rows, strict=True):
            if not np.array_equal(items[r], items[rows[0]]):
                raise InputError(
                    f"scores: arm {arm!r}, task {task!r}: seeds {seeds[0]} and {s} hold different "
                    f"items of metric {metric!r}; score the same ones"
                )
        return np.stack([self._values[r] for r in rows])

    def items(self, arm: str, task: str, metric: str | None = None) -> list[str]:
        """Item ids in the order of `cube`'s columns."""
        return self._column("item_id", arm, task, metric)

    def clusters(self, task: str) -> list[str] | None:
        """Cluster of each item of the task, or None where items are independent.

        An item without a cluster in a clustered task is its own.
        """
        arm = next(iter(self._blocks.get((task, self.item_metric.get(task, "")), {})), None)
        if arm is None:
            return None
        names = self._column("cluster", arm, task, None)
        if not any(names):
            return None
        items = self._column("item_id", arm, task, None)
        return [f"in {c}" if c else f"is {i}" for c, i in zip(names, items, strict=True)]

    def digest(self, arms: Iterable[str] | None = None) -> str:
        """SHA-256 of the content of these arms' rows (all by default), whatever their order.

        Run ids do not enter: equal scores give equal digests.
        """
        whole = hashlib.sha256()
        for arm in sorted(set(self.arms if arms is None else arms)):
            if arm in self._arm_digests:
                whole.update(self._arm_digests[arm])
        return whole.hexdigest()

    @cached_property
    def _arm_digests(self) -> dict[str, bytes]:
        parts: dict[str, hashlib._Hash] = {}
        seen: dict[bytes, bytes] = {}

        def text(column: str, rows: slice) -> bytes:
            codes = self._codes[column][rows].tobytes()
            key = column.encode() + codes
            if key not in seen:
                names = self._names[column]
                joined = "\x1f".join(names[c] for c in self._codes[column][rows])
                seen[key] = hashlib.sha256(joined.encode()).digest()
            return seen[key]

        for (task, metric), arms in self._blocks.items():
            for arm, block in arms.items():
                h = parts.setdefault(arm, hashlib.sha256(arm.encode()))
                for k, seed in enumerate(block.seeds):
                    rows = slice(block.start[k], block.start[k + 1])
                    h.update(f"\x1e{task}\x1f{metric}\x1f{seed}\x1f".encode())
                    h.update(text("item_id", rows) + text("cluster", rows))
                    # Adding 0 turns -0 into 0; every NaN becomes the same one.
                    values = self._values[rows] + 0.0
                    h.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        for (arm, seed), n in sorted(self.diverged.items()):
            h = parts.setdefault(arm, hashlib.sha256(arm.encode()))
            h.update(f"\x1ediverged\x1f{seed}\x1f{n}".encode())
        for (arm, seed), found in sorted(self.faults.items()):
            h = parts.setdefault(arm, hashlib.sha256(arm.encode()))
            h.update(f"\x1efault\x1f{seed}\x1f{found}".encode())
        return {arm: h.digest() for arm, h in parts.items()}

    def _block(self, arm: str, task: str, metric: str | None) -> Block | None:
        key = (task, metric if metric is not None else self.item_metric.get(task, ""))
        return self._blocks.get(key, {}).get(arm)

    def _column(self, column: str, arm: str, task: str, metric: str | None) -> list[str]:
        block = self._block(arm, task, metric)
        if block is None:
            return []
        names = self._names[column]
        return [names[c] for c in self._codes[column][block.start[0] : block.start[1]]]


def load_scores(
    paths: str | Path | Iterable[str | Path], in_memory_rows: int = IN_MEMORY_ROWS
) -> ScoreTable:
    """Read Parquet or CSV files as one checked score table.

    in_memory_rows: a table of more rows is sorted on disk instead, to the same result. run_id,
    cluster and metric may be left out of a file. An empty value is an unscored item. Raises
    InputError (one line) for anything that could bend a verdict: see `check`.
    """
    files = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    origin = str(files[0]) if len(files) == 1 else f"{len(files)} score files"
    if is_large(files, in_memory_rows):
        return _check_sorted(sort_rows(files, DIVERGED, FAULT, origin), origin)
    return check(read_rows(files), origin)


def check(table: pa.Table, origin: str = "scores") -> ScoreTable:
    """A `ScoreTable` of typed rows.

    Raises InputError for: 0 rows, a negative seed, a duplicate row, an infinite value or one
    outside [0, 1], two item metrics in a task, items or clusters that differ between arms or
    seeds, and a table without a single scored item.
    """
    _not_rowless(len(table), origin)
    table = table.unify_dictionaries().combine_chunks()
    names: dict[str, list[str]] = {}
    codes: dict[str, NDArray[np.int32]] = {}
    for column in ("arm", "task", "item_id", "cluster", "metric", "run_id"):
        names[column], codes[column] = coded(table.column(column))
    seeds = table.column("seed").to_numpy()
    values = table.column("value").to_numpy()
    _not_negative(int(seeds.min()), origin)
    is_diverged = np.array([m == DIVERGED for m in names["metric"]])[codes["metric"]]
    diverged = _diverged(names, codes, seeds, values, is_diverged)
    is_fault = np.array([m == FAULT for m in names["metric"]])[codes["metric"]]
    faults = _faults(names, codes, seeds, values, is_fault)
    keep = np.flatnonzero(~is_diverged & ~is_fault)
    _not_empty(keep.size, origin)
    group = np.zeros(keep.size, dtype=np.int64)
    seed_names, seed_codes = np.unique(seeds[keep], return_inverse=True)
    for part, size in (
        (codes["task"][keep], len(names["task"])),
        (codes["metric"][keep], len(names["metric"])),
        (codes["arm"][keep], len(names["arm"])),
        (seed_codes, seed_names.size),
    ):
        group = group * size + part
    item = codes["item_id"][keep]
    order = np.lexsort((item, group))
    keep, group = keep[order], group[order]
    codes = {c: v[keep] for c, v in codes.items()}
    seeds, values = seeds[keep], values[keep]

    def row(k: int) -> str:
        arm, task, item = (int(codes[c][k]) for c in ("arm", "task", "item_id"))
        return _place(names, arm, task, item, int(seeds[k]))

    same = (group[1:] == group[:-1]) & (codes["item_id"][1:] == codes["item_id"][:-1])
    if same.any():
        raise _twice(row(int(np.argmax(same))), origin)
    wrong = ~np.isnan(values) & ~((values >= 0) & (values <= 1))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise _no_score(values[k], row(k), origin)
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    columns = (
        *(codes[c][first].tolist() for c in ("task", "metric", "arm")),
        seeds[first].tolist(),
    )
    heads = list(zip(*columns, strict=True))
    scored = np.array([m not in MEASUREMENTS for m in names["metric"]])[codes["metric"]]
    return _table_of(
        names,
        {c: codes[c] for c in ("item_id", "cluster")},
        values,
        _blocks(names, heads, first, len(group)),
        diverged,
        faults,
        len(table),
        bool((~np.isnan(values[scored])).any()),
        origin,
    )


def _check_sorted(found: Sorted, origin: str) -> ScoreTable:
    """What `check` does, of rows that were sorted on disk."""
    _not_rowless(found.n_rows, origin)
    _not_negative(found.lowest_seed, origin)
    _not_empty(found.value.size, origin)

    def row(k: int) -> str:
        task, _, arm, seed = found.units[int(np.searchsorted(found.first, k, side="right")) - 1]
        return _place(found.names, arm, task, found.item[k], seed)

    if found.twice is not None:
        raise _twice(row(found.twice), origin)
    if found.wrong is not None:
        raise _no_score(found.value[found.wrong], row(found.wrong), origin)
    return _table_of(
        found.names,
        {"item_id": found.item, "cluster": found.cluster},
        found.value,
        _blocks(found.names, found.units, found.first, found.value.size),
        found.diverged,
        found.faults,
        found.n_rows,
        bool(found.valued - MEASUREMENTS),
        origin,
    )


def _table_of(
    names: Mapping[str, list[str]],
    codes: Mapping[str, NDArray[np.int32]],
    values: NDArray[np.float64],
    blocks: Mapping[tuple[str, str], Mapping[str, Block]],
    diverged: Mapping[tuple[str, int], int],
    faults: Faults,
    n_rows: int,
    has_values: bool,
    origin: str,
) -> ScoreTable:
    """The table of sorted rows, once their items are seen to agree. codes: item_id, cluster."""
    item_metric = _item_metrics(blocks, origin)
    _same_items(blocks, item_metric, names, codes, origin)
    if not has_values:
        raise InputError(f"{origin}: no item has a value; score the items first")
    return ScoreTable(
        arms=tuple(names["arm"]),
        tasks=tuple(sorted({t for t, _ in blocks})),
        metrics=tuple(names["metric"]),
        item_metric=item_metric,
        diverged=diverged,
        faults=faults,
        n_rows=n_rows,
        _names=names,
        _codes=codes,
        _values=values,
        _blocks=blocks,
    )


def _not_rowless(n_rows: int, origin: str) -> None:
    if n_rows == 0:
        raise InputError(f"{origin}: 0 rows; expected one row per scored item")


def _not_negative(seed: int, origin: str) -> None:
    if seed < 0:
        raise InputError(f"{origin}: seed {seed}, expected 0 or more; renumber the seeds")


def _not_empty(n_scored: int, origin: str) -> None:
    if n_scored == 0:
        raise InputError(f"{origin}: no scored item, only diverged runs; train them again")


def _place(names: Mapping[str, list[str]], arm: int, task: int, item: int, seed: int) -> str:
    return (
        f"arm {names['arm'][arm]!r}, seed {seed}, task {names['task'][task]!r}, "
        f"item {names['item_id'][item]!r}"
    )


def _twice(row: str, origin: str) -> InputError:
    return InputError(f"{origin}: {row} stands twice; keep one row per item")


def _no_score(value: float, row: str, origin: str) -> InputError:
    return InputError(
        f"{origin}: value {value:g} of {row}; expected 0 to 1, or empty for unscored "
        f"(divide percentages by 100)"
    )


def _diverged(
    names: Mapping[str, list[str]],
    codes: Mapping[str, NDArray[np.int32]],
    seeds: NDArray[np.int64],
    values: NDArray[np.float64],
    where: NDArray[np.bool_],
) -> dict[tuple[str, int], int]:
    rows = np.flatnonzero(where & (values > 0))
    runs = {
        (names["arm"][codes["arm"][k]], int(seeds[k]), names["run_id"][codes["run_id"][k]])
        for k in rows
    }
    counts: dict[tuple[str, int], int] = {}
    for arm, seed, _ in sorted(runs):
        counts[arm, seed] = counts.get((arm, seed), 0) + 1
    return counts


def _faults(
    names: Mapping[str, list[str]],
    codes: Mapping[str, NDArray[np.int32]],
    seeds: NDArray[np.int64],
    values: NDArray[np.float64],
    where: NDArray[np.bool_],
) -> Faults:
    text = ("arm", "task", "item_id")
    return by_run(
        (*(names[c][codes[c][k]] for c in text), int(seeds[k]), float(values[k]))
        for k in np.flatnonzero(where)
    )


def _blocks(
    names: Mapping[str, list[str]],
    units: Sequence[Unit],
    first: NDArray[np.int64],
    end: int,
) -> dict[tuple[str, str], dict[str, Block]]:
    """units: task, metric, arm, seed of each run of rows that begins at `first`, in order."""
    stop = np.r_[first[1:], end]
    heads: dict[tuple[str, str], dict[str, list[int]]] = {}
    for k, (task, metric, arm, _) in enumerate(units):
        key = (names["task"][task], names["metric"][metric])
        heads.setdefault(key, {}).setdefault(names["arm"][arm], []).append(k)
    return {
        key: {
            arm: Block(np.array([units[k][3] for k in ks]), np.r_[first[ks], stop[ks[-1]]])
            for arm, ks in arms.items()
        }
        for key, arms in heads.items()
    }


def _item_metrics(
    blocks: Mapping[tuple[str, str], Mapping[str, Block]], origin: str
) -> dict[str, str]:
    found: dict[str, str] = {}
    for task, metric in sorted(blocks):
        if metric in MEASUREMENTS:
            continue
        if task in found:
            raise InputError(
                f"{origin}: task {task!r} has item metrics {found[task]!r} and {metric!r}; keep one"
            )
        found[task] = metric
    return found


def _same_items(
    blocks: Mapping[tuple[str, str], Mapping[str, Block]],
    item_metric: Mapping[str, str],
    names: Mapping[str, list[str]],
    codes: Mapping[str, NDArray[np.int32]],
    origin: str,
) -> None:
    """Every (arm, seed) of a task must hold the same items in the same clusters."""
    for task, metric in item_metric.items():
        reference: tuple[str, int, slice] | None = None
        for arm, block in blocks[task, metric].items():
            for k, seed in enumerate(block.seeds.tolist()):
                rows = slice(block.start[k], block.start[k + 1])
                if reference is None:
                    reference = (arm, seed, rows)
                    continue
                for column in ("item_id", "cluster"):
                    mine, theirs = codes[column][rows], codes[column][reference[2]]
                    if np.array_equal(mine, theirs):
                        continue
                    a = f"arm {reference[0]!r} seed {reference[1]}"
                    b = f"arm {arm!r} seed {seed}"
                    if column == "cluster":
                        raise InputError(
                            f"{origin}: task {task!r}: {a} and {b} put items into different "
                            f"clusters; give each item one cluster"
                        )
                    odd = int(np.setxor1d(mine, theirs)[0])
                    raise InputError(
                        f"{origin}: task {task!r}: {a} has {theirs.size} items, {b} {mine.size}, "
                        f"and item {names['item_id'][odd]!r} is only in one; add its row (value "
                        f"empty if unscored)"
                    )
