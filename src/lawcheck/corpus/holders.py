"""How many samples hold each word, and which samples hold rare ones.

Words are whitespace words as written, told apart by 64-bit numbers (lawcheck.corpus.fingerprints):
two of twenty million share one with probability 1e-5.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lawcheck.corpus.fingerprints import Hashes, Words, hash_words

Numbers = NDArray[np.int64]
# Rows hashed at a time.
BLOCK = 4096
_BITS = 22


def blocks(rows: Iterable[Mapping[str, Any]]) -> Iterator[Words]:
    """Words of rows in reading order, the response after the prompt; a block of rows at a time."""
    waiting = iter(rows)
    while block := list(itertools.islice(waiting, BLOCK)):
        yield hash_words([f"{r['prompt']}\n{r['response']}" for r in block], "space")


def distinct(words: Hashes) -> Hashes:
    """Sorted. np.unique hashes first, which takes longer."""
    ordered = np.sort(words)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def held(words: Hashes, row_of: Numbers) -> tuple[Hashes, Numbers]:
    """Distinct words, sorted, and how many of the rows hold each."""
    if not len(words):
        return words, np.zeros(0, dtype=np.int64)
    # Arrow numbers words by a hash table, in 0.4 of the time that sorting them takes.
    coded = pa.array(words).dictionary_encode()
    found = coded.dictionary.to_numpy()
    pairs = pa.array(row_of * len(found) + coded.indices.to_numpy()).unique().to_numpy()
    rows = np.bincount(pairs % len(found), minlength=len(found))
    order = np.argsort(found)
    return found[order], rows[order]


class Holders:
    """Rows that hold each word, over any number of blocks."""

    def __init__(self) -> None:
        self._parts: list[tuple[Hashes, Numbers]] = []

    def add(self, words: Words) -> None:
        row_of = np.repeat(np.arange(len(words.starts) - 1), words.lengths)
        self._parts.append(held(words.hashes, row_of))
        # Merged when as large as what was merged before, so that a word is sorted a few times.
        if sum(len(w) for w, _ in self._parts[1:]) > max(len(self._parts[0][0]), 1 << 20):
            self.table()

    def table(self) -> tuple[Hashes, Numbers]:
        """Words, sorted, and the rows that hold each."""
        merged = merge(self._parts)
        self._parts = [merged]
        return merged


def merge(tables: Iterable[tuple[Hashes, Numbers]]) -> tuple[Hashes, Numbers]:
    """Sums of several tables."""
    parts = list(tables)
    words = np.concatenate([np.zeros(0, np.uint64), *(w for w, _ in parts)])
    counts = np.concatenate([np.zeros(0, np.int64), *(c for _, c in parts)])
    if not len(words):
        return words, counts
    order = np.argsort(words)
    words, counts = words[order], counts[order]
    first = np.flatnonzero(np.r_[True, words[1:] != words[:-1]])
    return words[first], np.add.reduceat(counts, first)


def with_unique_words(
    rows: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]], below: int
) -> list[int]:
    """Places of rows that hold a word which fewer than `below` of the other rows hold."""
    below = max(below, 1)
    words = np.zeros(0, np.uint64)
    for block in blocks(rows):
        words = distinct(np.concatenate([words, distinct(block.hashes)]))
    elsewhere = np.zeros(len(words), dtype=np.int64)
    if not len(words):
        return []
    rare = _Filter(words)
    for block in blocks(others):
        row_of = np.repeat(np.arange(len(block.starts) - 1), block.lengths)
        some = np.flatnonzero(rare.maybe(block.hashes))
        found, counts = held(block.hashes[some], row_of[some])
        at, same = _places(words, found)
        elsewhere[at[same]] += counts[same]
        # Known to be common from here on; what is left shrinks fast.
        if (elsewhere[at[same]] >= below).any():
            rare = _Filter(words[elsewhere < below])
    words = words[elsewhere < below]
    places: list[int] = []
    start = 0
    for block in blocks(rows):
        n = len(block.starts) - 1
        some = np.flatnonzero(rare.maybe(block.hashes))
        _, same = _places(words, block.hashes[some])
        row_of = np.searchsorted(block.starts, some[same], side="right") - 1
        places += (start + np.unique(row_of)).tolist()
        start += n
    return places


class _Filter:
    """Whether a word may be one of these, by its first bits."""

    def __init__(self, words: Hashes) -> None:
        self._seen = np.zeros(1 << _BITS, dtype=bool)
        self._seen[words >> np.uint64(64 - _BITS)] = True

    def maybe(self, words: Hashes) -> NDArray[np.bool_]:
        return np.asarray(self._seen[words >> np.uint64(64 - _BITS)])


def _places(words: Hashes, wanted: Hashes) -> tuple[Numbers, NDArray[np.bool_]]:
    """Where each wanted word stands among sorted ones, and whether it does."""
    if not len(words):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(words, wanted), len(words) - 1)
    return at, np.asarray(words[at] == wanted)


def rows_with(words: Hashes, table: tuple[Hashes, Numbers]) -> Numbers:
    """How many rows hold each of these words; (n words,)."""
    known, counts = table
    at, same = _places(known, words)
    return np.where(same, counts[at], 0) if len(known) else np.zeros(len(words), np.int64)
