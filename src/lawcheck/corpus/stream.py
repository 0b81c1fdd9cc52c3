"""A recipe's training rows one after the other: what lawcheck.corpus.recipe.mix lists, in order.

Where `mix` holds all rows, this holds one batch, the numbers of drawn duplicates and, for
`unique` upsampling, the words of the discipline that is upsampled. Rows, ids and their order are
the same; a test compares the two.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lawcheck.corpus.recipe import Row, words
from lawcheck.corpus.shards import Shards
from lawcheck.design import Discipline, Recipe, Upsampling
from lawcheck.errors import InputError, nearest


def stream_mix(
    recipe: Recipe,
    rows: Mapping[str, Shards],
    general: Shards | None,
    disciplines: Mapping[str, Discipline],
    unique_below: int,
    part: str | None = None,
) -> Iterator[Row]:
    """Training rows of a recipe, grouped by discipline in the order of `rows`.

    Arguments as in `mix`, from shards; general may be None where the recipe takes none. part:
    only this discipline's rows. Raises InputError for a discipline without rows.
    """
    names = tuple(rows) if recipe.disciplines is None else recipe.disciplines
    for name in names:
        if name not in rows or not len(rows[name]):
            raise InputError(
                f"recipe {recipe.label!r}: discipline {name!r} has no training rows; "
                f"{nearest(name, [n for n, r in rows.items() if len(r)])}"
            )
    return _rows(recipe, rows, general, disciplines, unique_below, names, part)


def _rows(
    recipe: Recipe,
    rows: Mapping[str, Shards],
    general: Shards | None,
    disciplines: Mapping[str, Discipline],
    unique_below: int,
    names: Sequence[str],
    part: str | None,
) -> Iterator[Row]:
    for name in names:
        if part not in (None, name):
            continue
        kept = share_of(rows[name], recipe.fraction)
        yield from rows[name].first(kept)
        up = recipe.upsampling
        if up is not None and name in up.disciplines:
            target = round(kept * up.target / disciplines[name].paper_samples)
            pool: Sequence[int] = range(kept)
            if up.kind == "unique":
                pool = _with_unique_words(name, rows, kept, unique_below)
                if not pool:
                    raise InputError(
                        f"recipe {recipe.label!r}: no sample of {name!r} holds a word with fewer "
                        f"than {unique_below} co-occurrences elsewhere; raise 'unique_below'"
                    )
            yield from _duplicates(rows[name], pool, max(0, target - kept), up, name)
    if general is not None and part is None:
        yield from general.first(share_of(general, recipe.general_share))


def share_of(rows: Shards, share: float) -> int:
    return math.floor(len(rows) * share + 0.5)


def _duplicates(
    rows: Shards, pool: Sequence[int], count: int, upsampling: Upsampling, name: str
) -> Iterator[Row]:
    draw = random.Random(f"upsampling {upsampling.kind} {name}")
    copies: Counter[int] = Counter()
    for index in draw.choices(pool, k=count):
        copies[index] += 1
        row = rows[index]
        yield {**row, "id": f"{row['id']}#{copies[index]}"}


def _with_unique_words(name: str, rows: Mapping[str, Shards], kept: int, below: int) -> list[int]:
    """Places of rows that hold a word which fewer than `below` rows of other disciplines hold."""
    rare: dict[str, int] = {}
    for row in rows[name].first(kept):
        rare.update(dict.fromkeys(words(row), 0))
    for other, others in rows.items():
        if other == name:
            continue
        for row in others:
            for word in words(row) & rare.keys():
                rare[word] += 1
                if rare[word] >= below:
                    # Known to be common from here on; what is left shrinks fast.
                    del rare[word]
    return [i for i, row in enumerate(rows[name].first(kept)) if not words(row).isdisjoint(rare)]
