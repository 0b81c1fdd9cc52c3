"""Words of many texts as 64-bit numbers, computed a chunk of texts at a time.

Vectorised because a corpus of 620 million words passes through here: with the comparison that
follows about 0.1 microseconds a word on one core. Two units of comparison:

- `word`: case, punctuation and compatibility forms folded away, exactly as
  lawcheck.corpus.real.rows.words does.
- `notation`: what stands between white space and sentence punctuation, case kept. In SMILES `c`
  and `C` are different atoms, and a molecule cut at its brackets shares stretches with thousands
  of others; as one unit it is equal to itself only.
- `space`: what stands between white space, as written: the words of str.split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.real.rows import words

Unit = Literal["word", "notation", "space"]
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

BASE = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_STEP = 8  # bytes of a word that enter its hash at a time


def _table(unit: Unit) -> NDArray[np.uint8]:
    """Byte -> the byte that is compared, 0 for what separates."""
    kept = np.zeros(256, dtype=np.uint8)
    if unit == "word":
        for byte in b"abcdefghijklmnopqrstuvwxyz0123456789_":
            kept[byte] = byte
        for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            kept[byte] = byte + 32
        kept[128:] = np.arange(128, 256)
        return kept
    kept[:] = np.arange(256)
    if unit == "space":
        # 0 marks what separates; UTF-8 has no byte 255.
        kept[0] = 255
        kept[[*range(9, 14), *range(28, 33)]] = 0
        return kept
    kept[:33] = 0
    for byte in b"\x7f.,;:?!\"'":
        kept[byte] = 0
    return kept


_UNITS: tuple[Unit, ...] = ("word", "notation", "space")
_TABLES: dict[Unit, NDArray[np.uint8]] = {unit: _table(unit) for unit in _UNITS}
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)


@dataclass(frozen=True)
class Words:
    """hashes: (n words,), all texts end to end. starts: (n texts + 1,), where each text begins."""

    hashes: Hashes
    starts: Places

    @property
    def lengths(self) -> Places:
        return np.diff(self.starts)


def hash_words(texts: Sequence[str], unit: Unit = "word") -> Words:
    """Every word of every text. Equal words have equal numbers in every process."""
    pieces = [_bytes(text, unit) for text in texts]
    # One separator before the first text, one after each, and room to read 8 bytes at any word.
    joined = b"\n" + b"\n".join(pieces) + b"\n" * (1 + _LONGEST_STEP)
    kept = _TABLES[unit][np.frombuffer(joined, dtype=np.uint8)]
    inside = kept != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    begins, ends = edges[0::2], edges[1::2]
    lengths = ends - begins
    eight: Hashes = np.ndarray(
        (len(kept) - _LONGEST_STEP + 1,), dtype="<u8", buffer=kept.data, strides=(1,)
    )
    hashes = lengths.astype(np.uint64) * BASE
    hashes ^= eight[begins] & _MASKS[np.minimum(lengths, 8)]
    hashes = scramble(hashes)
    longer = np.flatnonzero(lengths > 8)
    offset = 8
    while len(longer):
        left = np.minimum(lengths[longer] - offset, 8)
        hashes[longer] = scramble(hashes[longer] ^ (eight[begins[longer] + offset] & _MASKS[left]))
        offset += 8
        longer = longer[lengths[longer] > offset]
    sizes = np.fromiter((len(p) + 1 for p in pieces), np.int64, len(pieces))
    borders = np.concatenate(([1], 1 + np.cumsum(sizes))).astype(np.int64)
    return Words(hashes, np.searchsorted(begins, borders).astype(np.int64))


def _bytes(text: str, unit: Unit) -> bytes:
    if not text.isascii() and unit == "word":
        text = " ".join(words(text))
    if unit != "space":
        return text.encode("utf-8", "replace")
    # A JSON file may hold lone surrogates, which are words of their own.
    return (text if text.isascii() else " ".join(text.split())).encode("utf-8", "surrogatepass")


def scramble(x: Hashes) -> Hashes:
    """The finaliser of MurmurHash3, a bijection of 64-bit numbers (Appleby 2011)."""
    x = x ^ (x >> np.uint64(33))
    x = x * np.uint64(0xFF51AFD7ED558CCD)
    x = x ^ (x >> np.uint64(33))
    x = x * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


def whole(found: Words) -> Hashes:
    """One number per text, from its words in order; 0 for a text without words."""
    result = np.zeros(len(found.starts) - 1, dtype=np.uint64)
    filled = np.flatnonzero(found.lengths)
    if len(filled):
        place = np.arange(len(found.hashes)) - np.repeat(found.starts[:-1], found.lengths)
        mixed = scramble(found.hashes + place.astype(np.uint64) * BASE)
        result[filled] = scramble(np.add.reduceat(mixed, found.starts[:-1][filled]))
    return result


def octograms(hashes: Hashes) -> Hashes:
    """Hash of the 8 words that begin at each place; (n - 7,), empty for fewer than 8 words."""
    run, length = hashes, 1
    while length < 8:
        # Longer runs are put together from two of half the length.
        run = run[:-length] * _power(length) + run[length:] if len(run) > length else run[:0]
        length *= 2
    return run


def runs_at(hashes: Hashes, places: Places, length: int) -> Hashes:
    """Hash of the `length` words that begin at each of the places."""
    total = np.zeros(len(places), dtype=np.uint64)
    for k in range(length):
        total = total * BASE + hashes[places + k]
    return total


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(int(BASE), exponent, 1 << 64))
