"""Word n-grams of many samples as 64-bit numbers, and how many of them are distinct.

A number depends on the words alone, never on the process or on the order of reading. Two of k
distinct n-grams share a number with probability about k^2 / 2^65: 0.01 for 600 million.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]

# n-grams in memory; all lie on disk in the end, in parts by their first bits.
HELD = 1 << 22
_MASK = 64  # sets that one number tells apart


def ngram_hashes(words: Hashes, lengths: Numbers, n: int) -> tuple[Hashes, Numbers]:
    """Hashes of every n-gram that lies inside one sample, and how many each sample has.

    words: word hashes of all samples, one after the other. lengths: words per sample.
    """
    counts = np.maximum(lengths - n + 1, 0)
    windows = max(0, len(words) - n + 1)
    combined = np.zeros(windows, dtype=np.uint64)
    for k in range(n):
        combined = _scramble(combined + words[k : k + windows])
    # A window belongs to a sample if it ends before the sample does.
    ends = np.repeat(np.cumsum(lengths), lengths)[:windows]
    return combined[np.arange(windows) + n <= ends], counts


def _scramble(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele et al. 2014) after its odd increment; a bijection."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Distinct:
    """Counts distinct n-grams of several sets of samples, in one pass over all of them.

    supports: which samples belong to each set, (n_samples,) each. folder: where n-grams lie, 8
    bytes each; removed at the end. held: n-grams in memory. Use as a context manager.
    """

    def __init__(
        self, supports: Sequence[Flags], folder: Path | None = None, held: int = HELD
    ) -> None:
        self._sets, self._limit = len(supports), held
        # Samples that lie in the same sets are one kind; few kinds stand for millions of samples.
        matrix = np.stack(supports, axis=1) if supports else np.zeros((0, 0), bool)
        self._member, kind = np.unique(matrix, axis=0, return_inverse=True)
        self._kind = kind.reshape(-1).astype(np.min_scalar_type(len(self._member)))
        # A part says the first bits of its n-grams, so that the kind fits into a key instead of
        # them: sorting keys takes a fifth of sorting n-grams with their kinds.
        self._bits = max(8, len(self._member).bit_length())
        self._count_parts = 1 << self._bits
        self._sample = self._size = 0
        self._waiting: list[tuple[Hashes, NDArray]] = []
        self._borders: list[Numbers] = []
        self._file = tempfile.TemporaryFile(dir=folder, prefix=".ngrams.")  # noqa: SIM115

    def __enter__(self) -> Distinct:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, hashes: Hashes, counts: Numbers) -> None:
        """n-grams of the next samples, end to end, and how many each of these has."""
        if not self._sets:
            return
        kinds = self._kind[self._sample : self._sample + len(counts)]
        self._sample += len(counts)
        self._waiting.append((hashes, np.repeat(kinds, counts)))
        self._size += len(hashes)
        if self._size > self._limit:
            self._spill()

    def counts(self) -> list[int]:
        """Distinct n-grams of each set, once all samples were added."""
        total = np.zeros(self._sets, dtype=np.int64)
        for keys in self._parts():
            if len(keys):
                total += self._count(keys)
        return [int(t) for t in total]

    def _spill(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        hashes = np.concatenate([np.zeros(0, np.uint64), *(h for h, _ in waiting)])
        kinds = np.concatenate([self._kind[:0], *(k for _, k in waiting)])
        part = hashes >> np.uint64(64 - self._bits)
        part = part.astype(np.min_scalar_type(self._count_parts - 1))
        sizes = np.bincount(part, minlength=self._count_parts)
        self._borders.append(np.concatenate([[0], np.cumsum(sizes)]))
        keys = hashes << np.uint64(self._bits) | kinds
        keys[np.argsort(part, kind="stable")].tofile(self._file)

    def _parts(self) -> Iterator[Hashes]:
        """Equal n-grams have equal first bits, so that each part is counted on its own."""
        self._spill()
        self._file.flush()
        for part in range(self._count_parts):
            keys, at = [], 0
            for borders in self._borders:
                low, high = borders[part : part + 2].tolist()
                self._file.seek(8 * (at + low))
                keys.append(np.fromfile(self._file, np.uint64, high - low))
                at += int(borders[-1])
            yield np.concatenate(keys)

    def _count(self, keys: Hashes) -> Numbers:
        keys.sort()
        grams = keys >> np.uint64(self._bits)
        kinds = keys & np.uint64(self._count_parts - 1)
        first = np.flatnonzero(np.r_[True, grams[1:] != grams[:-1]])
        found = np.zeros(self._sets, dtype=np.int64)
        for low in range(0, self._sets, _MASK):
            bits = self._member[:, low : low + _MASK]
            powers = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
            masks = (bits * powers).sum(axis=1, dtype=np.uint64)
            held = np.bitwise_or.reduceat(masks[kinds], first)
            for k, power in enumerate(powers):
                found[low + k] = np.count_nonzero(held & power)
        return found
