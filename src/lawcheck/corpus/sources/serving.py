"""What a discipline's module of the paper's world offers, from its declarations."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lawcheck.corpus.real.files import Row
from lawcheck.corpus.real.rows import same_columns, shuffled
from lawcheck.corpus.recipe import order_key
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.evaluation import Reader
from lawcheck.corpus.sources.locking import lock_path, pinned, read_lock
from lawcheck.corpus.sources.mapping import Sample
from lawcheck.corpus.sources.staging import placed, staged
from lawcheck.errors import InputError


@dataclass(frozen=True)
class Source:
    """train: data sets that are mixed. evaluation: data set -> how its items are read."""

    discipline: str
    train: tuple[DataSet, ...]
    evaluation: Mapping[DataSet, Reader]

    @property
    def sets(self) -> tuple[DataSet, ...]:
        return (*self.train, *self.evaluation)

    def stream(self, data: Path) -> Iterator[tuple[str, DataSet, Sample]]:
        """(id, data set, sample) of every training row, before any comparison with items."""
        for data_set in self.train:
            for name, sample in samples_of(data_set, data):
                if sample is not None:
                    yield name, data_set, sample

    def samples(self, split: str, n: int | None, data: Path) -> list[Row]:
        """`eval`: the first n items of each task in an order fixed by their ids, or all.

        `train`: the first n rows in the order of recipes, not compared with items; for looking
        at rows, the corpus itself is built by streaming. Raises InputError for other splits.
        """
        if split == "train" and n is not None:
            rows = (training_row(self.discipline, *found) for found in self.stream(data))
            return heapq.nsmallest(n, rows, key=lambda row: order_key(row["id"]))
        if split != "eval":
            raise InputError(
                f"discipline {self.discipline!r}, world 'paper': no split {split!r} to list; ask "
                f"for eval, or train with a number of rows"
            )
        rows = (row for s, read in self.evaluation.items() for row in read(s, data))
        return first_of_each_task(rows, n)

    def source_files(self, data: Path) -> list[Path]:
        return list(dict.fromkeys(p for s in self.sets for p in staged(s, data)))

    def pinned_sources(self) -> dict[str, str]:
        """Data set -> pinned content or revision, read from the lock file alone."""
        return pinned(self.sets, read_lock(lock_path()))


def samples_of(data_set: DataSet, data: Path) -> Iterator[tuple[str, Sample | None]]:
    """(id, sample) of every row; None for rows that hold none. Raises InputError."""
    for name, where, row in placed(data_set, data):
        yield name, data_set.mapping(row, where)


def training_row(discipline: str, name: str, data_set: DataSet, sample: Sample) -> Row:
    return {
        "id": name,
        "discipline": discipline,
        "set": data_set.name,
        "kind": sample.kind,
        "prompt": sample.prompt,
        "response": sample.response,
    }


def first_of_each_task(rows: Iterable[Row], n: int | None) -> list[Row]:
    """The first n evaluation rows of each task in an order fixed by their ids, or all."""
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row["task"], []).append(row)
    return same_columns([row for own in tasks.values() for row in shuffled(own)[:n]])
