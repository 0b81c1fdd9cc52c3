"""Word n-grams of many samples as 64-bit numbers, and how many of them are distinct.

A number depends on the words alone, never on the process or on the order of reading. Two of k
distinct n-grams share a number with probability about k^2 / 2^65: 0.01 for 600 million.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.recipe import sample_words

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]

# n-grams sorted at a time: bounds the working memory to some hundred MB.
PIECE = 1 << 24


class Vocabulary:
    """Words numbered in order of first sight, each with a 64-bit hash of its content."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._hashes = array("Q")

    def __len__(self) -> int:
        return len(self._number)

    @property
    def hashes(self) -> Hashes:
        """Hash of each word, by its number; (n_words,)."""
        return np.array(self._hashes, dtype=np.uint64)

    def encode(self, rows: Sequence[dict[str, Any]]) -> tuple[Numbers, Numbers]:
        """Numbers of the words of all samples, one after the other, and words per sample."""
        flat: list[str] = []
        lengths = []
        for row in rows:
            words = sample_words(row)
            flat += words
            lengths.append(len(words))
        for word in dict.fromkeys(flat):
            if word not in self._number:
                self._number[word] = len(self._number)
                # A JSON file may hold lone surrogates, which plain UTF-8 refuses.
                content = word.encode("utf-8", "surrogatepass")
                short = hashlib.blake2b(content, digest_size=8).digest()
                self._hashes.append(int.from_bytes(short, "little"))
        numbers = map(self._number.__getitem__, flat)
        return np.fromiter(numbers, np.int64, len(flat)), np.array(lengths, dtype=np.int64)


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


def distinct_in(
    blocks: Sequence[Hashes], counts: Numbers, supports: Sequence[Flags], piece: int = PIECE
) -> list[int]:
    """Distinct n-grams of several sets of samples, in one pass over all of them.

    blocks: n-grams of every sample, one sample after the other, cut anywhere. counts: n-grams per
    sample. supports: which samples belong to each set, (n_samples,) each.
    """
    size = sum(len(b) for b in blocks)
    if not size or not supports:
        return [0] * len(supports)
    # Samples that lie in the same sets are one class; few classes stand for millions of samples.
    member, kind = np.unique(np.stack(supports, axis=1), axis=0, return_inverse=True)
    kinds = np.repeat(kind.reshape(-1).astype(np.min_scalar_type(len(member))), counts)
    starts = np.cumsum([0, *(len(b) for b in blocks)])
    bits = max(0, int(np.ceil(np.log2(size / piece))))
    total = np.zeros(len(supports), dtype=np.int64)
    # Equal n-grams have equal first bits, so that each part is counted on its own.
    for part in range(1 << bits):
        inside = [_starting(block, part, bits) for block in blocks]
        some = np.concatenate([b[i] for b, i in zip(blocks, inside, strict=True)])
        if not len(some):
            continue
        held = np.concatenate([kinds[s + i] for s, i in zip(starts, inside, strict=False)])
        order = np.argsort(some)
        some = some[order]
        first = np.flatnonzero(np.r_[True, some[1:] != some[:-1]])
        total += np.logical_or.reduceat(member[held[order]], first, axis=0).sum(axis=0)
    return [int(t) for t in total]


def _starting(hashes: Hashes, part: int, bits: int) -> Numbers:
    """Places of the hashes whose first bits are `part`."""
    if not bits:
        return np.arange(len(hashes))
    return np.flatnonzero(hashes >> np.uint64(64 - bits) == part)
