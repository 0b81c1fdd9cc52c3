"""Which training rows repeat an evaluation item: an exact and an n-gram measure, in linear time.

**ngram**: the row's text holds a run of 13 words of the item's question, or the whole question
where that has 8 to 12 words. Runs that more than three different questions of a set share (its
frame, such as "which of the following statements about the molecule") are no item's own and do
not count. **exact**: the row asks the item's question, word for word; where the question has no
run of its own ("True statement is:"), row and item must agree in their options too, in any order.

A text is compared by 64-bit fingerprints (lawcheck.corpus.fingerprints). Memory holds the
evaluation sets and one chunk of rows, whatever the corpus measures. With a million runs and 620
million places the chance that any row is removed by accident is below 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.fingerprints import (
    Hashes,
    Unit,
    Words,
    hash_words,
    octograms,
    runs_at,
    scramble,
    whole,
)
from lawcheck.errors import InputError

RUN = 13  # words of a long question that a row must share
SHORTEST = 8  # words; a shorter question is compared exactly
FRAME = 3  # different questions of a set that may share a run before it belongs to none
MOST_SETS = 32

Masks = NDArray[np.uint32]


@dataclass(frozen=True)
class Item:
    """One evaluation item. options: of a multiple-choice question, else empty."""

    question: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a training row asks and all it says. text: prompt and response together."""

    question: str
    text: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """exact, ngram: (n rows,), bit k set where the row reaches evaluation set k."""

    exact: Masks
    ngram: Masks

    @property
    def any(self) -> NDArray[np.bool_]:
        return np.asarray((self.exact | self.ngram) != 0)


class EvaluationIndex:
    """All evaluation items of a world, ready to be compared with rows.

    sets: name -> its items. names: in the order of the bits of `Found`. summary: per set, items,
    runs and how many runs were left out as frames. Raises InputError for too many sets.
    """

    def __init__(self, sets: Mapping[str, Sequence[Item]], unit: Unit = "word") -> None:
        if len(sets) > MOST_SETS:
            raise InputError(
                f"evaluation sets: found {len(sets)}, expected at most {MOST_SETS}; merge some"
            )
        self.unit = unit
        self.names = tuple(sets)
        self.summary: dict[str, dict[str, int]] = {}
        exact: list[tuple[Hashes, Masks]] = []
        runs: dict[int, list[tuple[Hashes, Masks]]] = {}
        prefixes: list[Hashes] = []
        for bit, (name, items) in enumerate(sets.items()):
            found = hash_words([i.question for i in items], unit)
            asked = whole(found)
            full = _with_options(asked, [i.options for i in items], unit)
            lengths, first, keys, owner = _runs(found)
            own = _own(keys, full[owner])
            has_own = np.zeros(len(items), dtype=bool)
            has_own[owner[own]] = True
            key = np.where(has_own, asked, full)[found.lengths > 0]
            exact.append((key, np.full(len(key), 1 << bit, np.uint32)))
            prefixes.append(first[own])
            for length in np.unique(lengths[own]).tolist():
                of_length = keys[own & (lengths == length)]
                runs.setdefault(length, []).append(
                    (of_length, np.full(len(of_length), 1 << bit, np.uint32))
                )
            self.summary[name] = {
                "items": len(items),
                "runs": len(np.unique(keys[own])),
                "frames": len(np.unique(keys[~own])),
                "exact_only": int((~has_own).sum()),
            }
        self._exact = _merge(exact)
        self._runs = {length: _merge(parts) for length, parts in sorted(runs.items())}
        self._seen, self._shift = _filter(prefixes)

    def compare(self, rows: Sequence[Asked]) -> Found:
        """Which sets each row reaches."""
        texts = hash_words([r.text for r in rows], self.unit)
        asked = whole(hash_words([r.question for r in rows], self.unit))
        exact = _lookup(self._exact, asked)
        chosen = [i for i, r in enumerate(rows) if r.options]
        if chosen:
            full = _with_options(asked[chosen], [rows[i].options for i in chosen], self.unit)
            exact[chosen] |= _lookup(self._exact, full)
        return Found(exact, self._overlap(texts, len(rows)))

    def _overlap(self, texts: Words, n: int) -> Masks:
        reached = np.zeros(n, dtype=np.uint32)
        prefix = octograms(texts.hashes)
        places = np.flatnonzero(self._seen[prefix >> self._shift])
        if not len(places):
            return reached
        row = np.searchsorted(texts.starts, places, side="right") - 1
        left = texts.starts[row + 1] - places
        for length, table in self._runs.items():
            fit = left >= length
            if fit.any():
                hit = _lookup(table, runs_at(texts.hashes, places[fit], length))
                np.bitwise_or.at(reached, row[fit], hit)
        return reached


def _with_options(asked: Hashes, options: Iterable[Sequence[str]], unit: Unit) -> Hashes:
    """Question and options as one number, whatever the order of the options."""
    options = list(options)
    counts = np.array([len(o) for o in options], dtype=np.int64)
    each = scramble(whole(hash_words([text for o in options for text in o], unit)))
    total = np.zeros(len(options), dtype=np.uint64)
    filled = np.flatnonzero(counts)
    if len(filled):
        starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
        total[filled] = np.add.reduceat(each, starts[filled])
    return np.where(counts > 0, scramble(asked + total), asked)


def _runs(found: Words) -> tuple[NDArray[np.int64], Hashes, Hashes, NDArray[np.int64]]:
    """Every run of every question: its length, its first eight words, its hash, its item."""
    parts = []
    for item, (start, n) in enumerate(zip(found.starts, found.lengths, strict=False)):
        length = min(RUN, int(n))
        if length >= SHORTEST:
            places = np.arange(start, start + n - length + 1)
            parts.append((np.full(len(places), length), places, np.full(len(places), item)))
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return none, none.astype(np.uint64), none.astype(np.uint64), none
    lengths, places, owner = (np.concatenate(column) for column in zip(*parts, strict=True))
    keys = np.zeros(len(places), dtype=np.uint64)
    for length in np.unique(lengths).tolist():
        here = lengths == length
        keys[here] = runs_at(found.hashes, places[here], length)
    return lengths, runs_at(found.hashes, places, SHORTEST), keys, owner


def _own(keys: Hashes, questions: Hashes) -> NDArray[np.bool_]:
    """Which runs are shared by at most FRAME different questions; copies count once."""
    pairs = np.unique(np.stack([keys, questions], axis=1), axis=0)
    distinct, shared_by = np.unique(pairs[:, 0], return_counts=True)
    return np.asarray(shared_by[np.searchsorted(distinct, keys)] <= FRAME)


def _merge(parts: Sequence[tuple[Hashes, Masks]]) -> tuple[Hashes, Masks]:
    """Sorted distinct keys with the masks of all their owners."""
    keys = np.concatenate([k for k, _ in parts] or [np.zeros(0, np.uint64)])
    masks = np.concatenate([m for _, m in parts] or [np.zeros(0, np.uint32)])
    distinct, inverse = np.unique(keys, return_inverse=True)
    merged = np.zeros(len(distinct), dtype=np.uint32)
    np.bitwise_or.at(merged, inverse, masks)
    return distinct, merged


def _lookup(table: tuple[Hashes, Masks], keys: Hashes) -> Masks:
    distinct, masks = table
    if not len(distinct):
        return np.zeros(len(keys), dtype=np.uint32)
    at = np.minimum(np.searchsorted(distinct, keys), len(distinct) - 1)
    return np.where(distinct[at] == keys, masks[at], np.uint32(0)).astype(np.uint32)


def _filter(prefixes: Sequence[Hashes]) -> tuple[NDArray[np.bool_], np.uint64]:
    """A table by the top bits of a run's first eight words; almost every place misses it."""
    keys = np.concatenate(prefixes or [np.zeros(0, np.uint64)])
    bits = min(26, max(16, int(len(keys) * 32).bit_length()))
    seen = np.zeros(1 << bits, dtype=bool)
    shift = np.uint64(64 - bits)
    seen[keys >> shift] = True
    return seen, shift
