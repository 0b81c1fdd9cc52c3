"""Turn a recipe into training rows: nested fractions, upsampling, general data.

The mixture is the same for every seed; seeds change initialisation, order and base only, so
that a mixture is one design point.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lawcheck.design import Discipline, Recipe, Upsampling
from lawcheck.errors import InputError, nearest

Row = dict[str, Any]


def planned_rows(discipline: Discipline, size: float) -> int:
    """Training rows of a discipline at a size factor, before fraction and upsampling."""
    return round(discipline.paper_samples * size)


def planned_mixture(
    recipe: Recipe, disciplines: Sequence[Discipline], size: float, general_pool: int
) -> dict[str, float]:
    """Planned rows per discipline, and under `general` those of general instructions."""
    planned = {}
    for d in disciplines:
        if recipe.disciplines is not None and d.name not in recipe.disciplines:
            continue
        rows = recipe.fraction * planned_rows(d, size)
        up = recipe.upsampling
        if up is not None and d.name in up.disciplines:
            rows *= max(1.0, up.target / d.paper_samples)
        planned[d.name] = rows
    planned["general"] = recipe.general_share * general_pool
    return planned


def mix(
    recipe: Recipe,
    rows: Mapping[str, Sequence[Row]],
    general: Sequence[Row],
    disciplines: Mapping[str, Discipline],
    unique_below: int,
) -> list[Row]:
    """Training rows of a recipe, grouped by discipline in the order of `rows`.

    rows: all training rows per discipline. general: the scale's fixed general pool.
    unique_below: a word is discipline-specific when fewer samples of other disciplines hold it.
    Duplicates carry the id `<id>#<copy>`. Raises InputError for a discipline without rows.
    """
    names = tuple(rows) if recipe.disciplines is None else recipe.disciplines
    mixed: list[Row] = []
    for name in names:
        if not rows.get(name):
            raise InputError(
                f"recipe {recipe.label!r}: discipline {name!r} has no training rows; "
                f"{nearest(name, [n for n, r in rows.items() if r])}"
            )
        kept = nested(rows[name], recipe.fraction)
        up = recipe.upsampling
        if up is not None and name in up.disciplines:
            target = round(len(kept) * up.target / disciplines[name].paper_samples)
            pool = kept
            if up.kind == "unique":
                others = [r for n, rs in rows.items() if n != name for r in rs]
                pool = with_unique_words(kept, others, unique_below)
                if not pool:
                    raise InputError(
                        f"recipe {recipe.label!r}: no sample of {name!r} holds a word with fewer "
                        f"than {unique_below} co-occurrences elsewhere; raise 'unique_below'"
                    )
            kept = kept + duplicates(pool, max(0, target - len(kept)), up, name)
        mixed += kept
    return mixed + nested(general, recipe.general_share)


def nested(rows: Sequence[Row], share: float) -> list[Row]:
    """The first share of the rows in the order of their hashed ids: smaller lies in larger."""
    ordered = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    return ordered[: math.floor(len(rows) * share + 0.5)]


def duplicates(pool: Sequence[Row], count: int, upsampling: Upsampling, name: str) -> list[Row]:
    """`count` rows drawn at random with replacement, numbered per original."""
    draw = random.Random(f"upsampling {upsampling.kind} {name}")
    copies: Counter[str] = Counter()
    drawn = []
    for row in draw.choices(pool, k=count):
        copies[row["id"]] += 1
        drawn.append({**row, "id": f"{row['id']}#{copies[row['id']]}"})
    return drawn


def words(row: Row) -> set[str]:
    """Whitespace words of a sample, prompt and response together."""
    return set(row["prompt"].split()) | set(row["response"].split())


def with_unique_words(rows: Sequence[Row], others: Sequence[Row], below: int) -> list[Row]:
    """Rows that hold a word which fewer than `below` samples of other disciplines hold."""
    elsewhere = Counter(word for row in others for word in words(row))
    return [row for row in rows if any(elsewhere[word] < below for word in words(row))]
