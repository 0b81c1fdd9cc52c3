"""Turn a recipe into training rows: nested fractions, upsampling, general data.

The mixture is the same for every seed; seeds change initialisation, order and base only, so
that a mixture is one design point. Rows come one after the other from sequences that stand in
the order of their hashed ids, so that a share is a prefix and a corpus need not fit into memory:
held are a sequence's own batch, the places of drawn duplicates and, for `unique` upsampling, the
words of the discipline that is upsampled, 16 bytes each.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lawcheck.corpus.moving import GENERAL, domains_of, held_out, pass_rows
from lawcheck.declare.design import Discipline, Recipe, Selection
from lawcheck.errors import InputError, nearest

Row = dict[str, Any]


def planned_rows(discipline: Discipline, size: float, caps: Mapping[str, int] | None = None) -> int:
    """Training rows of a discipline at a size factor, before fraction and upsampling.

    caps: most rows of disciplines by name (lawcheck.declare.scale.CorpusSettings).
    """
    rows = round(discipline.rows * size)
    return min(rows, (caps or {}).get(discipline.name, rows))


def planned_mixture(
    recipe: Recipe,
    disciplines: Sequence[Discipline],
    size: float,
    general_pool: int,
    caps: Mapping[str, int] | None = None,
) -> dict[str, float]:
    """Planned rows of a pass per discipline, and under `general` those of general instructions.

    Where shares move or follow a base, their sum is planned, in equal parts.
    """
    if recipe.mixture is not None:
        available = [d.name for d in disciplines] + [GENERAL] * (general_pool > 0)
        domains = domains_of(recipe, available)
        shares = dict(recipe.mixture.given) or dict.fromkeys(domains, 1 / len(domains))
        return {name: pass_rows(recipe, size) * shares[name] for name in domains}
    if recipe.selection is not None:
        return planned_selection(recipe.selection, disciplines, size, caps)
    planned = {}
    for d in disciplines:
        if recipe.disciplines is not None and d.name not in recipe.disciplines:
            continue
        rows = recipe.fraction * planned_rows(d, size, caps)
        up = recipe.upsampling
        if up is not None and d.name in up.disciplines:
            rows *= max(1.0, up.target / d.rows)
        planned[d.name] = rows
    planned["general"] = recipe.general_share * general_pool
    return planned


def planned_selection(
    selection: Selection,
    disciplines: Sequence[Discipline],
    size: float,
    caps: Mapping[str, int] | None = None,
) -> dict[str, float]:
    """Planned rows of a selection per discipline, whose rows its tasks share equally."""
    planned = {}
    for d in disciplines:
        for world in d.worlds.values():
            own = [t.name for t in world.tasks if t.name in selection.tasks]
            if own:
                each = planned_rows(d, size, caps) / len(world.tasks)
                most = each if selection.k is None else min(each, selection.k)
                planned[d.name] = sum(most * selection.share(task) for task in own)
    return planned


def probe_rows(
    recipe: Recipe,
    disciplines: Sequence[Discipline],
    size: float,
    general_pool: int,
    caps: Mapping[str, int] | None = None,
) -> int:
    """Held-out rows that a moving mixture reads: before every phase and after the last."""
    assert recipe.mixture is not None
    rows = {d.name: planned_rows(d, size, caps) for d in disciplines}
    rows |= {GENERAL: general_pool} if general_pool else {}
    domains = domains_of(recipe, tuple(rows))
    return (recipe.mixture.phases + 1) * sum(held_out(rows[name]) for name in domains)


def order_key(row_id: str) -> bytes:
    return hashlib.sha256(row_id.encode()).digest()


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order in which recipes take their shares."""
    return sorted(rows, key=lambda row: order_key(row["id"]))


def one_pool(pools: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """General pools as one in order; a single one as it is, which may not fit into memory."""
    return pools[0] if len(pools) == 1 else in_order(row for pool in pools for row in pool)


def mix(
    recipe: Recipe,
    rows: Mapping[str, Sequence[Row]],
    general: Sequence[Row],
    disciplines: Mapping[str, Discipline],
    unique_below: int,
    part: str | None = None,
    reserve: Mapping[str, Sequence[Row]] | None = None,
) -> Iterator[Row]:
    """Training rows of a recipe, grouped by discipline in the order of `rows`.

    rows: all training rows per discipline, each `in_order`. general: the scale's fixed general
    pool, likewise. unique_below: a word is discipline-specific when fewer samples of other
    disciplines hold it. part: only this discipline's rows. reserve: further rows per discipline,
    likewise, for recipes with fresh ones. Duplicates carry the id `<id>#<copy>`.
    Raises InputError for a discipline without rows, or with too small a reserve.
    """
    names = tuple(rows) if recipe.disciplines is None else recipe.disciplines
    for name in names:
        if not rows.get(name):
            raise InputError(
                f"recipe {recipe.label!r}: discipline {name!r} has no training rows; "
                f"{nearest(name, [n for n, r in rows.items() if r])}"
            )
    chosen = [name for name in names if part in (None, name)]
    pool = general if part is None else ()
    return _mixed(recipe, chosen, rows, pool, disciplines, unique_below, reserve or {})


def _mixed(
    recipe: Recipe,
    names: Sequence[str],
    rows: Mapping[str, Sequence[Row]],
    general: Sequence[Row],
    disciplines: Mapping[str, Discipline],
    unique_below: int,
    reserve: Mapping[str, Sequence[Row]],
) -> Iterator[Row]:
    for name in names:
        kept = Prefix(rows[name], recipe.fraction)
        clean = len(kept) - math.floor(len(kept) * recipe.shuffled + 0.5)
        for place, row in enumerate(kept):
            yield row if place < clean else _shuffled(row)
        up = recipe.upsampling
        if up is not None and name in up.disciplines:
            target = round(len(kept) * up.target / disciplines[name].rows)
            pool: Sequence[int] = range(len(kept))
            if up.kind == "unique":
                # Planning imports this module and needs no arrays.
                from lawcheck.corpus.holders import with_unique_words

                others = (row for n, rs in rows.items() if n != name for row in rs)
                pool = with_unique_words(kept, others, unique_below)
                if not pool:
                    raise InputError(
                        f"recipe {recipe.label!r}: no sample of {name!r} holds a word with fewer "
                        f"than {unique_below} co-occurrences elsewhere; raise 'unique_below'"
                    )
            count = max(0, target - len(kept))
            drawn = random.Random(f"upsampling {up.kind} {name}").choices(pool, k=count)
            fresh = math.floor(count * up.fresh + 0.5)
            if fresh:
                yield from _alike(drawn[:fresh], kept, reserve.get(name, ()), recipe, name)
            yield from _duplicates(kept, drawn[fresh:])
    yield from Prefix(general, recipe.general_share)


def _shuffled(row: Row) -> Row:
    """The words of prompt and response in an order drawn by the row's id, as long as before."""
    if "prompt" not in row:  # a place, whose text nobody asks for
        return row
    words = [*row["prompt"].split(), *row["response"].split()]
    random.Random(f"shuffled {row['id']}").shuffle(words)
    first = len(row["prompt"].split())
    return {**row, "prompt": " ".join(words[:first]), "response": " ".join(words[first:])}


class Prefix:
    """The first share of rows that stand in order: smaller lies in larger."""

    def __init__(self, rows: Sequence[Row], share: float) -> None:
        self._rows, self._count = rows, math.floor(len(rows) * share + 0.5)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return islice(self._rows, self._count)

    def __getitem__(self, place: int) -> Row:
        return self._rows[place]


def _alike(
    drawn: Sequence[int], rows: Prefix, reserve: Sequence[Row], recipe: Recipe, name: str
) -> Iterator[Row]:
    """A fresh row for each drawn one: of its sub-skill while there are any, nearest in words.

    What all lengths still lack is made up for by the next row, so that the sums agree.
    """
    if len(reserve) < len(drawn):
        raise InputError(
            f"recipe {recipe.label!r}: {len(drawn)} fresh rows of {name!r}, the scale's "
            f"corpus.reserve has {len(reserve)}; enlarge it, or lower 'fresh'"
        )
    # Sub-skill -> length in words -> its rows, the next one last.
    left: dict[str, dict[int, list[Row]]] = {}
    for row in reversed(reserve):
        left.setdefault(row.get("skill", ""), {}).setdefault(_words(row), []).append(row)
    owed = 0
    for place in drawn:
        wanted = rows[place]
        owed += _words(wanted)
        skill = wanted.get("skill", "")
        if not left.get(skill):
            skill = max(left, key=lambda s: sum(map(len, left[s].values())))
        lengths = left[skill]
        nearest_length = min(lengths, key=lambda n: (abs(n - owed), n))
        row = lengths[nearest_length].pop()
        if not lengths[nearest_length]:
            del lengths[nearest_length]
        owed -= nearest_length
        yield row


def _words(row: Row) -> int:
    return len(row["prompt"].split()) + len(row["response"].split())


def _duplicates(rows: Prefix, drawn: Sequence[int]) -> Iterator[Row]:
    """The rows at places drawn with replacement, numbered per original."""
    copies: Counter[int] = Counter()
    for place in drawn:
        copies[place] += 1
        row = rows[place]
        yield {**row, "id": f"{row['id']}#{copies[place]}"}
