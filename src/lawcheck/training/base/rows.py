"""What a built base is trained on: rows, their order, and batches of equal length."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from lawcheck.corpus import frozen
from lawcheck.declare import discovery
from lawcheck.declare.scale import BuiltBase, Scale
from lawcheck.errors import InputError
from lawcheck.training.base import tokenizer as tokenizers

# Samples that are sorted by length together: enough to leave less than a tenth of padding,
# few enough that a batch is no pure draw of one discipline.
WINDOW = 1024


@dataclass(frozen=True)
class Sample:
    """ids: prompt, response, EOS. start: index of the first token that is learnt."""

    id: str
    ids: list[int]
    start: int


@dataclass(frozen=True)
class Batch:
    """ids: (n, longest), right-padded. At (rows, columns) the model predicts `targets`.

    rows, columns, targets: (n learnt tokens,).
    """

    ids: Tensor
    rows: Tensor
    columns: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> Batch:
        """On the device; from pinned memory, so that the copy waits for nothing."""
        if device.type == "cpu":
            return self
        parts = (self.ids, self.rows, self.columns, self.targets)
        return Batch(*(t.pin_memory().to(device, non_blocking=True) for t in parts))


def pretraining_rows(scale: Scale, recipe: BuiltBase, data: Path | None) -> list[dict[str, str]]:
    """Rows of the mixture, discipline by discipline. data: folder of a world of real data.

    Raises InputError for an unknown discipline, one outside the world, or one with too few rows.
    """
    rows: list[dict[str, str]] = []
    world = frozen.generator_world(scale.world)
    for name, count in recipe.mixture.items():
        worlds = discovery.discipline(name).worlds
        if world not in worlds:
            raise InputError(
                f"base mixture: discipline {name!r} has no world {world!r}; drop it from the "
                f"scale's mixture"
            )
        source = importlib.import_module(worlds[world].source)
        extra = () if data is None else (data,)
        found = source.samples("pretrain", count, *extra)
        if len(found) != count:
            raise InputError(
                f"base mixture: discipline {name!r} has {len(found)} pretraining rows, expected "
                f"{count}; lower the scale's mixture"
            )
        rows += found
    return rows


def make_tokenizer(
    scale: Scale, recipe: BuiltBase, rows: list[dict[str, str]]
) -> PreTrainedTokenizerFast:
    if recipe.tokenizer == "words":
        return tokenizers.build_words(frozen.generator(scale.world).vocabulary(), recipe.bos)
    if recipe.vocabulary is None:
        raise InputError(
            f"scale {scale.name!r}: base tokenizer 'bpe' without a vocabulary size; set "
            f"'vocabulary'"
        )
    texts = (text for row in rows for text in (row["prompt"], row["response"]))
    return tokenizers.train_bpe(texts, recipe.vocabulary, recipe.bos)


def encode(
    tokenizer: PreTrainedTokenizerFast,
    rows: list[dict[str, str]],
    longest: int,
    objective: str = "response",
) -> list[Sample]:
    """Samples of at most `longest` tokens; one with nothing to learn inside them is left out."""
    as_samples = tokenizers.encode_texts if objective == "text" else tokenizers.encode_samples
    samples = []
    for row, (ids, start) in zip(rows, as_samples(tokenizer, rows), strict=True):
        if start < longest:
            samples.append(Sample(row["id"], ids[:longest], start))
    return samples


def batches(samples: list[Sample], seed: int, epoch: int, tokens: int) -> list[list[Sample]]:
    """One epoch of length-bucketed batches of at most `tokens` padded tokens.

    The order is a hash of (seed, epoch, sample id): it depends on nothing but the ids.
    """

    def place(sample: Sample) -> bytes:
        return hashlib.sha256(f"{seed}\x1f{epoch}\x1f{sample.id}".encode()).digest()

    order = sorted(samples, key=place)
    made = [
        members
        for begin in range(0, len(order), WINDOW)
        for members in _cut(sorted(order[begin : begin + WINDOW], key=_length), tokens)
    ]
    # Reversed digests: a second order, independent of the one that chose the members.
    made.sort(key=lambda members: place(members[0])[::-1])
    return made


def collate(samples: list[Sample], pad: int) -> Batch:
    width = max(len(s.ids) for s in samples)
    ids = torch.full((len(samples), width), pad, dtype=torch.long)
    rows: list[int] = []
    columns: list[int] = []
    targets: list[int] = []
    for i, sample in enumerate(samples):
        ids[i, : len(sample.ids)] = torch.tensor(sample.ids)
        answer = sample.ids[sample.start :]
        rows += [i] * len(answer)
        columns += range(sample.start - 1, len(sample.ids) - 1)
        targets += answer
    return Batch(ids, torch.tensor(rows), torch.tensor(columns), torch.tensor(targets))


def _length(sample: Sample) -> int:
    return len(sample.ids)


def _cut(samples: list[Sample], tokens: int) -> Iterator[list[Sample]]:
    """Runs of neighbours whose padded size stays within `tokens`, of one sample at least."""
    run: list[Sample] = []
    for sample in samples:
        if run and (len(run) + 1) * max(_length(sample), _length(run[-1])) > tokens:
            yield run
            run = []
        run.append(sample)
    if run:
        yield run
