"""Rows of a mixture whose shares may move: phase by phase, a pure function of the weights so far.

Every domain's rows stand in the order of their hashed ids. A phase takes the next rows of each
domain where the phase before stopped; only when all rows of a domain were taken does it begin
again, with copies that carry the id `<id>#<copy>`. So rows depend on no seed and on no random draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture, Recipe
from lawcheck.declare.mixing import floored
from lawcheck.errors import InputError, nearest

GENERAL = "general"
# Of every domain, the last rows in order measure its loss and are never learned: a tenth of them,
# at most HELD_OUT and at least one. Reading 64 of six domains nine times took 9 % of a proxy run.
HELD_OUT = 48
# Fewer distinct rows than this many batches are learned by heart, whatever their shares.
FEWEST_BATCHES = 10


def domains_of(recipe: Recipe, available: Sequence[str]) -> tuple[str, ...]:
    """The domains of a recipe's mixture, in the order of `available`.

    available: the disciplines, and `general` where there are general instructions. Raises
    InputError for a domain that is none of them, and for a target outside the domains.
    """
    mixture = recipe.mixture
    assert mixture is not None
    named = tuple(name for name, _ in mixture.given) or recipe.disciplines or tuple(available)
    for name in named:
        if name not in available:
            raise InputError(
                f"mixture {mixture.label!r}: domain {name!r} is not in the corpus; "
                f"{nearest(name, available)}"
            )
    if mixture.target is not None and mixture.target not in named:
        raise InputError(
            f"mixture {mixture.label!r}: target {mixture.target!r} is none of its domains; "
            f"{nearest(mixture.target, named)}"
        )
    return tuple(name for name in available if name in named)


def phase_rows(recipe: Recipe, size: float, epochs: int) -> int:
    """Rows of each phase. size: of the scale's corpus. epochs: passes, which phases divide."""
    mixture = recipe.mixture
    assert mixture is not None
    return max(1, round(pass_rows(recipe, size) * epochs / mixture.phases))


def pass_rows(recipe: Recipe, size: float) -> float:
    """Rows of one pass over the mixture, before they are put into whole phases."""
    assert recipe.mixture is not None
    return recipe.mixture.rows * recipe.fraction * size


def start_weights(
    mixture: Mixture,
    domains: Sequence[str],
    base: str,
    detected: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Weights of the first phase.

    base: the arm's own. detected: shares of the domains in what the base model emits.
    `inverse` takes (1 - p) / (N - 1), as the code released with VersaTune (arXiv 2411.11266) does;
    `reciprocal` is in proportion to 1 / p. Raises InputError where they are needed and not there.
    """
    if mixture.start == "uniform":
        return dict.fromkeys(domains, 1 / len(domains))
    if mixture.start == "given":
        return floored({name: dict(mixture.given)[name] for name in domains})
    whose = mixture.detected_in(base)
    if detected is None:
        raise InputError(
            f"mixture {mixture.label!r}: no detected shares of base {whose!r} (knowledge.json); "
            f"run: lawcheck detect --base {whose}"
        )
    for name in domains:
        share = detected.get(name, 0.0)
        if not 0 < share < math.inf:
            raise InputError(
                f"mixture {mixture.label!r}: detected share of {name!r} in base {whose!r} is "
                f"{share:g}, expected one above 0; detect it on more samples, or leave the domain"
            )
    known = {name: float(detected[name]) for name in domains}
    if mixture.start == "inverse" and len(known) > 1:
        whole = math.fsum(known.values())
        known = {name: (1 - share / whole) / (len(known) - 1) for name, share in known.items()}
    elif mixture.start == "reciprocal":
        known = {name: 1 / share for name, share in known.items()}
    return floored(known)


def apportioned(weights: Mapping[str, float], rows: int) -> dict[str, int]:
    """Whole rows by largest remainder; they sum to `rows`. Ties go to the domain named first."""
    total = math.fsum(weights.values())
    quotas = {name: rows * weight / total for name, weight in weights.items()}
    found = {name: math.floor(quota) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: found[name] - quotas[name])
    for name in by_remainder[: rows - sum(found.values())]:
        found[name] += 1
    return found


def held_out(rows: int) -> int:
    """How many of a domain's rows measure its loss and are not learned."""
    return max(1, min(HELD_OUT, rows // 10))


def draws(
    counts: Sequence[Mapping[str, int]], sizes: Mapping[str, int]
) -> dict[str, list[tuple[int, int]]]:
    """Rows of the last of these phases: per domain, place in its order and number of the copy.

    counts: rows per domain of the phases so far. sizes: distinct rows per domain. Copy 0 is the row
    itself.
    """
    found = {}
    for name, count in counts[-1].items():
        begin = sum(before.get(name, 0) for before in counts[:-1])
        found[name] = [(at % sizes[name], at // sizes[name]) for at in range(begin, begin + count)]
    return found


def copy_id(row_id: str, copy: int) -> str:
    return f"{row_id}#{copy}" if copy else row_id


def check_distinct(mixture: Mixture, sizes: Mapping[str, int], batch_size: int) -> None:
    """Raises InputError for a domain without rows, or too few rows in all of them together."""
    for name, rows in sizes.items():
        if rows < 1:
            raise InputError(
                f"mixture {mixture.label!r}: domain {name!r} has no row to learn beside the "
                f"held-out ones, expected at least one; take a larger corpus, or leave the domain"
            )
    total, fewest = sum(sizes.values()), FEWEST_BATCHES * batch_size
    if total < fewest:
        raise InputError(
            f"mixture {mixture.label!r}: {total} distinct rows, expected at least {fewest} "
            f"({FEWEST_BATCHES} batches of {batch_size}); take a larger corpus"
        )
