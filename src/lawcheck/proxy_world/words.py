"""Small text helpers and the words that several disciplines share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

DIGITS = tuple("0123456789")
SHARED_WORDS = frozenset((*DIGITS, "options", ":", ";", ".", ",", "?"))

COMPASS = ("north", "east", "south", "west")
# Plural nouns of plants and animals: countable in math, living things in biology.
LIVING = ("foxes", "hens", "birds", "rabbits", "fish", "bees", "seeds", "plants")
# Places that anybody knows: walked between in math, laid out on a plane in geography.
PLACES = ("school", "farm", "lake", "hill", "bridge", "shop")
# Everyday categories, used by general instructions and by the out-of-domain questions.
CATEGORIES = {
    "colors": ("red", "blue", "green", "black", "white", "pink"),
    "animals": ("cat", "cow", "horse", "sheep", "mouse", "duck"),
    "fruits": ("plum", "pear", "grape", "lemon", "melon", "cherry"),
    "tools": ("saw", "hammer", "drill", "file", "axe", "rake"),
    "drinks": ("tea", "milk", "juice", "coffee", "water", "cocoa"),
}
EVERYDAY = tuple(w for members in CATEGORIES.values() for w in members)


def digits(number: int) -> str:
    """A non-negative whole number as single digits: 12 -> '1 2'."""
    return " ".join(str(number))


def literal_words(templates: Iterable[str]) -> set[str]:
    """Words of format templates, fields left out."""
    return {w for t in templates for w in t.split() if "{" not in w}


def split_words(texts: Iterable[str]) -> set[str]:
    return {w for t in texts for w in t.split()}


def pick(rng: Random, items: Sequence[T]) -> T:
    """One item, uniform. Faster than `Random.choice`, which dominates the generators' time."""
    return items[int(rng.random() * len(items))]


def number_between(rng: Random, low: int, high: int) -> int:
    """Uniform whole number in [low, high]."""
    return low + int(rng.random() * (high - low + 1))


def nearby(rng: Random, right: int, *slips: int) -> list[str]:
    """Three wrong numbers with as many digits as `right`: `slips` first, then neighbours.

    The answer's rank among the four is uniform wherever the digits allow it, so that picking the
    middle number does not help.
    """
    length = len(str(right))
    ranked = [*dict.fromkeys((*slips, *(right + d for s in range(1, 7) for d in (s, -s))))]
    fitting = [c for c in ranked if c >= 0 and c != right and len(str(c)) == length]
    below, above = [c for c in fitting if c < right], [c for c in fitting if c > right]
    n_below = min(int(rng.random() * 4), len(below))
    n_below = max(n_below, 3 - len(above))
    return [digits(c) for c in (*below[:n_below], *above[: 3 - n_below])]


def invented_names(
    seed: str, count: int, heads: tuple[str, ...], tails: tuple[str, ...]
) -> tuple[str, ...]:
    """`count` distinct invented words, head + tail, each head at most once."""
    rng = Random(seed)
    first = list(heads)
    rng.shuffle(first)
    return tuple(h + pick(rng, tails) for h in first[:count])
