"""From tokenized samples to micro-batches: order by hash, packing.

An optimizer batch is a run of consecutive samples in the order of a hash of (seed, sample id).
Arms that share samples therefore see them in the same relative order, whatever else each arm
mixes in. Within a batch samples are packed into rows without padding to the longest; position
ids restart at every sample, and transformers builds the block-diagonal causal mask from them.
Measured at proxy width (batch 32, 32 tokens a sample, one thread): right-padded batches 101 ms
a step, length-sorted windows of 8 batches 60 ms, packed batches 58 ms. Packing is as fast as
sorting and, unlike it, moves no sample to another batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lawcheck.training.encoding import Encoded, Sample, encode

__all__ = ["Encoded", "MicroBatches", "Sample", "encode", "order", "pack", "pack_flat"]

IGNORED = -100


def order(ids: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Indices of `ids` sorted by a hash of (seed, id)."""
    keys = [hashlib.sha256(f"{seed}\x1f{i}".encode()).digest() for i in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), dtype=np.int64)


class MicroBatches(Dataset):
    """Ready micro-batches, `parts` of them to an optimizer step.

    Samples of a step are dealt to its parts by length, so that the parts cost the same. A last,
    smaller step still has `parts` parts; one without samples carries no label and adds nothing.
    flat: one row a micro-batch, as flash attention needs it (see `pack_flat`).
    """

    def __init__(
        self, encoded: Encoded, seed: int, batch_size: int, parts: int, flat: bool = False
    ) -> None:
        self.encoded = encoded
        self.order = order(encoded.ids, seed)
        self.batch_size = batch_size
        self.parts = parts
        self.pack = pack_flat if flat else pack

    @property
    def steps(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __len__(self) -> int:
        return self.steps * self.parts

    def __getitem__(self, index: int) -> dict[str, Any]:
        step, part = divmod(index, self.parts)
        batch = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        lengths = self.encoded.lengths[batch]
        longest_first = batch[np.argsort(-lengths, kind="stable")]
        return self.pack(self.encoded, longest_first[part :: self.parts])


def pack(encoded: Encoded, members: NDArray[np.int64]) -> dict[str, Tensor]:
    """One micro-batch. members: longest first.

    input_ids, position_ids, labels: (rows, longest sample). Labels stand at the token they name
    and are IGNORED outside responses; a row's unused end is a stretch of its own.
    """
    lengths = encoded.lengths
    return _fill(encoded, members, int(lengths[members[0]]) if len(members) else 1)


def pack_flat(encoded: Encoded, members: NDArray[np.int64]) -> dict[str, Any]:
    """One micro-batch as `pack` makes it, in a single row without an unused end.

    Flash attention tells packed samples apart in a single row only; of several rows it would mix
    the samples. cu_seq_lens_*: (samples + 1,), where each begins; max_length_*: of the longest.
    """
    lengths = encoded.lengths[members]
    batch: dict[str, Any] = dict(_fill(encoded, members, int(lengths.sum()) or 1))
    starts = np.concatenate([[0], np.cumsum(lengths if len(members) else [1])])
    bounds = torch.from_numpy(starts.astype(np.int32))
    longest = int(lengths.max(initial=1))
    batch |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds}
    return batch | {"max_length_q": longest, "max_length_k": longest}


def _fill(encoded: Encoded, members: NDArray[np.int64], width: int) -> dict[str, Tensor]:
    """Each sample into the first row of `width` tokens that has room for it."""
    lengths = encoded.lengths
    rows: list[list[int]] = []
    used: list[int] = []
    for member in members.tolist():
        length = int(lengths[member])
        fit = next((r for r, n in enumerate(used) if n + length <= width), len(rows))
        if fit == len(rows):
            rows.append([])
            used.append(0)
        rows[fit].append(member)
        used[fit] += length
    shape = (max(len(rows), 1), width)
    input_ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labels = np.full(shape, IGNORED, np.int64)
    for r, row in enumerate(rows):
        at = 0
        for member in row:
            sample = encoded.sample(member)
            answer, end = int(encoded.answers[member]), at + len(sample)
            input_ids[r, at:end] = sample
            positions[r, at:end] = np.arange(len(sample))
            labels[r, at + max(answer, 1) : end] = sample[max(answer, 1) :]
            at = end
        positions[r, at:] = np.arange(width - at)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "position_ids": torch.from_numpy(positions),
        "labels": torch.from_numpy(labels),
    }
