"""Checked scores that pivot in seconds: names as codes, rows in one canonical order.

So the order of the rows in a file changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lawcheck.errors import InputError


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

    def rows(self) -> dict[tuple[str, str, str, int], int]:
        """Rows of each (task, metric, arm, seed)."""
        return {
            (task, metric, arm, seed): n
            for (task, metric), arms in self._blocks.items()
            for arm, block in arms.items()
            for seed, n in zip(block.seeds.tolist(), np.diff(block.start).tolist(), strict=True)
        }

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

    def clusters(self, task: str, metric: str | None = None) -> list[str] | None:
        """Cluster of each item of the task, or None where items are independent.

        An item without a cluster in a clustered task is its own.
        """
        key = (task, self.item_metric.get(task, "") if metric is None else metric)
        arm = next(iter(self._blocks.get(key, {})), None)
        if arm is None:
            return None
        names = self._column("cluster", arm, task, metric)
        if not any(names):
            return None
        items = self._column("item_id", arm, task, metric)
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
