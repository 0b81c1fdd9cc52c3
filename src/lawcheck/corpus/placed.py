"""The training rows of a scale by place, so that a mixture is how often each row occurs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.build import reserve_of, training_parts
from lawcheck.corpus.moving import GENERAL
from lawcheck.corpus.recipe import Row, mix, one_pool
from lawcheck.corpus.shards import Shards
from lawcheck.declare.design import Discipline, Recipe
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import science

Numbers = NDArray[np.int64]
# Carried along by mixing, which gives duplicates new ids.
PLACE = "place"
# Of a discipline's reserve, in names of texts.
FRESH = ".reserve"


@dataclass(frozen=True)
class Placed:
    """Rows of a corpus, in memory or on disk.

    rows: training rows per discipline, in table order, each in the order of recipes. pool: the
    general pools, likewise. reserve: fresh rows per discipline, likewise. Places count through the
    rows, the pools and the reserve.
    """

    rows: Mapping[str, Sequence[Row]]
    pool: Mapping[str, Sequence[Row]]
    disciplines: Mapping[str, Discipline]
    unique_below: int
    reserve: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self.texts()}

    def texts(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """Every discipline with its rows, in the order of their places."""
        fresh = {f"{name}{FRESH}": rows for name, rows in self.reserve.items()}
        yield from {**self.rows, **self.pool, **fresh}.items()

    def times(self, recipe: Recipe) -> Numbers:
        """How often each row occurs in a mixture; (n_rows,)."""
        sizes = sum(self.sizes.values())
        return _count((row[PLACE] for row in self._mixed(recipe, _Places)), sizes)

    def named(self, recipe: Recipe, part: str | None = None) -> Iterator[tuple[str, int]]:
        """Id and place of every row of a mixture on disk, in the order of `recipe.mix`."""
        return ((row["id"], row[PLACE]) for row in self._mixed(recipe, _Named, part))

    def domains(self) -> dict[str, Sequence[Row]]:
        """Id and place of all rows on disk, by discipline; the general pools are one, `general`."""
        rows, general = self._numbered(_Named, _Named)
        return {**rows, GENERAL: general}

    def _mixed(
        self, recipe: Recipe, bare: type[_Numbered], part: str | None = None
    ) -> Iterator[Row]:
        """bare: how rows are read where no text is needed."""
        # Only these look at texts; reading them takes minutes at paper scale.
        up = recipe.upsampling
        kind = _Numbered if up is not None and (up.kind == "unique" or up.fresh) else bare
        # Several pools are sorted into one, by ids.
        pooled = _Numbered if len(self.pool) > 1 else bare
        rows, general = self._numbered(kind, pooled)
        starts = self._starts()
        reserve = {n: _Numbered(own, starts[f"{n}{FRESH}"]) for n, own in self.reserve.items()}
        return mix(recipe, rows, general, self.disciplines, self.unique_below, part, reserve)

    def _starts(self) -> dict[str, int]:
        sizes = self.sizes
        return dict(zip(sizes, itertools.accumulate(sizes.values(), initial=0), strict=False))

    def _numbered(
        self, kind: type[_Numbered], pooled: type[_Numbered]
    ) -> tuple[dict[str, Sequence[Row]], Sequence[Row]]:
        """Rows by discipline and of the general pools, as they are read."""
        starts = self._starts()
        rows: dict[str, Sequence[Row]] = {
            name: kind(own, starts[name]) for name, own in self.rows.items()
        }
        return rows, one_pool([pooled(own, starts[name]) for name, own in self.pool.items()])


class _Numbered(Sequence[Row]):
    """Rows with their places."""

    def __init__(self, rows: Sequence[Row], start: int) -> None:
        self.rows, self.start = rows, start

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return {**self.rows[index], PLACE: self.start + index}

    def __iter__(self) -> Iterator[Row]:
        for place, row in enumerate(self.rows, start=self.start):
            yield {**row, PLACE: place}


class _Places(_Numbered):
    """Places without the rows' texts, which are not read."""

    def __getitem__(self, index: Any) -> Any:
        return {"id": "", PLACE: self.start + index}

    def __iter__(self) -> Iterator[Row]:
        for place in range(self.start, self.start + len(self)):
            yield {"id": "", PLACE: place}


class _Named(_Numbered):
    """Ids and places of rows on disk, without their texts."""

    rows: Shards

    def __getitem__(self, index: Any) -> Any:
        return {"id": self.rows[index]["id"], PLACE: self.start + index}

    def __iter__(self) -> Iterator[Row]:
        for place, name in enumerate(self.rows.ids(), start=self.start):
            yield {"id": name, PLACE: place}


def placed(scale: Scale, folder: Path, general: bool) -> Placed:
    """The corpus on disk. general: whether the general pools are wanted, too."""
    rows, pool = training_parts(scale, folder, general)
    disciplines = {d.name: d for d in science(scale)}
    return Placed(rows, pool, disciplines, scale.corpus.unique_below, reserve_of(scale, folder))


def _count(places: Iterable[int], size: int) -> Numbers:
    return np.bincount(np.fromiter(places, dtype=np.int64), minlength=size)
