"""What makes rows a score table, and the one line about rows that are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lawcheck.declare.metrics import LIKELIHOODS
from lawcheck.errors import InputError
from lawcheck.scores.files import coded, numbers, picked
from lawcheck.scores.metrics import (
    DIVERGED,
    FAULT,
    FAULTY_ITEM,
    LOST_RUN,
    MEASUREMENTS,
    Faults,
    bounds,
    diverged_runs,
    faults_by_run,
)
from lawcheck.scores.sorting import Sorted, Unit
from lawcheck.scores.table import Block, ScoreTable

# Metrics whose rows are no items.
OF_RUNS = MEASUREMENTS - LIKELIHOODS


def check(table: pa.Table, origin: str = "scores") -> ScoreTable:
    """A `ScoreTable` of typed rows.

    Raises InputError for: 0 rows, a negative seed, a duplicate row, an infinite value or one
    outside what its metric may be, two item metrics in a task, items or clusters that differ
    between arms or seeds, and a table without a single scored item.
    """
    _not_rowless(len(table), origin)
    table = table.unify_dictionaries().combine_chunks()
    names: dict[str, list[str]] = {}
    codes: dict[str, NDArray[np.int32]] = {}
    for column in ("arm", "task", "item_id", "cluster", "metric", "run_id"):
        names[column], codes[column] = coded(table.column(column))
    seeds, values = numbers(table.column("seed")), numbers(table.column("value"))
    _not_negative(int(seeds.min()), origin)
    is_diverged = np.array([m == DIVERGED for m in names["metric"]])[codes["metric"]]
    diverged = diverged_runs(picked(table, is_diverged & (values > 0), LOST_RUN))
    is_fault = np.array([m == FAULT for m in names["metric"]])[codes["metric"]]
    faults = faults_by_run(picked(table, is_fault, FAULTY_ITEM))
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
    low, high = bounds(names["metric"])
    wrong = (values < low[codes["metric"]]) | (values > high[codes["metric"]])
    if wrong.any():
        k = int(np.argmax(wrong))
        raise _no_score(values[k], names["metric"][codes["metric"][k]], row(k), origin)
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    columns = (
        *(codes[c][first].tolist() for c in ("task", "metric", "arm")),
        seeds[first].tolist(),
    )
    heads = list(zip(*columns, strict=True))
    scored = np.array([m not in OF_RUNS for m in names["metric"]])[codes["metric"]]
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


def check_sorted(found: Sorted, origin: str) -> ScoreTable:
    """What `check` does, of rows that were sorted on disk."""
    _not_rowless(found.n_rows, origin)
    _not_negative(found.lowest_seed, origin)
    _not_empty(found.value.size, origin)

    def unit(k: int) -> Unit:
        return found.units[int(np.searchsorted(found.first, k, side="right")) - 1]

    def row(k: int) -> str:
        task, _, arm, seed = unit(k)
        return _place(found.names, arm, task, found.item[k], seed)

    if found.twice is not None:
        raise _twice(row(found.twice), origin)
    if found.wrong is not None:
        metric = found.names["metric"][unit(found.wrong)[1]]
        raise _no_score(found.value[found.wrong], metric, row(found.wrong), origin)
    return _table_of(
        found.names,
        {"item_id": found.item, "cluster": found.cluster},
        found.value,
        _blocks(found.names, found.units, found.first, found.value.size),
        found.diverged,
        found.faults,
        found.n_rows,
        bool(found.valued - OF_RUNS),
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


def _no_score(value: float, metric: str, row: str, origin: str) -> InputError:
    percent = 1 < value <= 100
    step = "divide percentages by 100" if percent else "correct it, or leave out what is no score"
    expected = "0 to 1"
    if metric in MEASUREMENTS:
        row, step = f"{metric} of {row}", "correct it"
        low, high = bounds([metric])[:, 0]
        expected = f"{low:g} to {high:g}"
        if high > 1:
            expected = "a finite number" if low < 0 else "a finite number from 0"
    return InputError(
        f"{origin}: value {value:g} of {row}; expected {expected}, or empty for unscored ({step})"
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
    """Every (arm, seed) of a task must hold the same items in the same clusters.

    A likelihood may be one of some of the task's items only, then of the same ones everywhere.
    """
    beside = sorted((t, m) for t, m in blocks if m in LIKELIHOODS)
    for task, metric in (*item_metric.items(), *beside):
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
