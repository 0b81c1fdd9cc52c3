"""The training rows of a scale by place, so that a mixture is how often each row occurs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck import discovery
from lawcheck.corpus.build import read_rows
from lawcheck.corpus.recipe import Row, mix
from lawcheck.corpus.shards import Shards, shard_files
from lawcheck.corpus.stream import stream_mix
from lawcheck.design import Discipline, Recipe
from lawcheck.plan import pinned_sources, science
from lawcheck.scale import Scale

Numbers = NDArray[np.int64]
# Carried along by mixing, which gives duplicates new ids.
PLACE = "place"


@dataclass(frozen=True)
class Placed:
    """Rows of a small corpus, held in memory.

    rows: training rows per discipline, in table order. pool: the general pool, likewise. Places
    count through the rows and then the pool.
    """

    rows: Mapping[str, list[Row]]
    pool: Mapping[str, list[Row]]
    disciplines: Mapping[str, Discipline]
    unique_below: int

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in {**self.rows, **self.pool}.items()}

    def texts(self) -> Iterator[tuple[str, Iterable[Row]]]:
        """Every discipline with its rows, in the order of their places."""
        yield from {**self.rows, **self.pool}.items()

    def times(self, recipe: Recipe) -> Numbers:
        """How often each row occurs in a mixture; (n_rows,)."""
        mixed = mix(recipe, *self._numbered, self.disciplines, self.unique_below)
        return _count((row[PLACE] for row in mixed), sum(self.sizes.values()))

    @cached_property
    def _numbered(self) -> tuple[dict[str, list[Row]], list[Row]]:
        place = itertools.count()
        rows = {n: [{**r, PLACE: next(place)} for r in part] for n, part in self.rows.items()}
        return rows, [{**r, PLACE: next(place)} for part in self.pool.values() for r in part]


@dataclass(frozen=True)
class PlacedShards:
    """Rows of a corpus that is too large to hold; `Placed` from files."""

    rows: Mapping[str, list[Path]]
    pool: Mapping[str, list[Path]]
    disciplines: Mapping[str, Discipline]
    unique_below: int

    @cached_property
    def sizes(self) -> dict[str, int]:
        return {name: len(Shards(files)) for name, files in {**self.rows, **self.pool}.items()}

    def texts(self) -> Iterator[tuple[str, Iterable[Row]]]:
        for name, files in {**self.rows, **self.pool}.items():
            yield name, Shards(files)

    def times(self, recipe: Recipe) -> Numbers:
        # Only `unique` upsampling looks at texts; reading them takes minutes at paper scale.
        up = recipe.upsampling
        kind = _Numbered if up is not None and up.kind == "unique" else _Places
        sizes = self.sizes
        starts = dict(zip(sizes, itertools.accumulate(sizes.values(), initial=0), strict=False))
        rows = {name: kind(files, starts[name]) for name, files in self.rows.items()}
        general = None
        if self.pool:
            name = next(iter(self.pool))
            general = _Places([f for files in self.pool.values() for f in files], starts[name])
        mixed = stream_mix(recipe, rows, general, self.disciplines, self.unique_below)
        return _count((row[PLACE] for row in mixed), sum(sizes.values()))


class _Numbered(Shards):
    """Rows with their places."""

    def __init__(self, paths: list[Path], start: int) -> None:
        super().__init__(paths)
        self.start = start

    def __getitem__(self, index: Any) -> Any:
        return {**super().__getitem__(index), PLACE: self.start + index}

    def first(self, count: int) -> Iterator[Row]:
        for k, row in enumerate(super().first(count)):
            yield {**row, PLACE: self.start + k}


class _Places(_Numbered):
    """Places without the rows' texts, which are not read."""

    def __getitem__(self, index: Any) -> Any:
        return {"id": "", PLACE: self.start + index}

    def first(self, count: int) -> Iterator[Row]:
        for k in range(min(count, len(self))):
            yield {"id": "", PLACE: self.start + k}


def placed(scale: Scale, folder: Path, general: bool) -> Placed | PlacedShards:
    """The corpus on disk. general: whether the general pool is wanted, too."""
    disciplines = {d.name: d for d in science(scale)}
    pools = [d.name for d in discovery.of_role("general", scale.world)] if general else []
    below = scale.corpus.unique_below
    if pinned_sources(scale) is not None:
        shards, reserve = (
            {n: shard_files(folder, n) for n in names} for names in (disciplines, pools)
        )
        return PlacedShards(shards, reserve, disciplines, below)
    rows, pool = (
        {n: read_rows(folder / f"{n}.train.jsonl") for n in names} for names in (disciplines, pools)
    )
    return Placed(rows, pool, disciplines, below)


def _count(places: Iterable[int], size: int) -> Numbers:
    return np.bincount(np.fromiter(places, dtype=np.int64), minlength=size)
