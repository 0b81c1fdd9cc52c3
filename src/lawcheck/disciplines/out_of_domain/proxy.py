"""Out-of-domain questions of the proxy world: a mixture of small general skills, as in MMLU.

Counting, copying, comparing, ordering, category membership, opposites. It takes part in
pretraining; there is no train split, since no arm is fine-tuned on it.
"""

from __future__ import annotations

import functools
from random import Random
from typing import Any

from lawcheck.errors import InputError
from lawcheck.proxy_world.stream import Family, Question, choice_stream, fact_family, take
from lawcheck.proxy_world.words import (
    CATEGORIES,
    EVERYDAY,
    digits,
    literal_words,
    nearby,
    number_between,
    pick,
)

# Difficulty.
OPEN_SHARE = 0.4  # of pretraining rows, without options
LIST_LENGTH = (3, 6)  # words to count or to copy from
NUMBER_MAX = 99  # to compare
# Family weights: (tune and evaluation, pretraining) below, in families().

ORDINALS = ("first", "second", "third", "last")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OPPOSITES = {
    "hot": "cold", "big": "small", "fast": "slow", "open": "closed", "early": "late",
    "full": "empty", "hard": "soft", "light": "heavy", "near": "far", "new": "old",
}  # fmt: skip
OPPOSITES |= {b: a for a, b in OPPOSITES.items()}

COUNT = ("how many {w} in : {ws} ?", "count {w} : {ws} ?")
COPY = ("{nth} word of : {ws} ?", "which word is {nth} : {ws} ?")
LARGEST = ("which number is largest ?", "the largest number ?")
SMALLEST = ("which number is smallest ?", "the smallest number ?")
AFTER = ("which day is {n} days after {day} ?", "{n} days after {day} ?")
BEFORE = ("which day is {n} days before {day} ?", "{n} days before {day} ?")
MEMBER = ("which belongs to {category} ?", "one of the {category} ?")
ODD = ("which does not belong : {ws} ?", "odd one out : {ws} ?")
OPPOSITE = ("opposite of {x} ?", "not {x} but ?", "{x} : opposite ?")
NEXT = ("what comes next : {ns} ?", "next number : {ns} ?")


def _count(rng: Random) -> Question:
    word, *others = rng.sample(EVERYDAY, 3)
    n = number_between(rng, *LIST_LENGTH)
    right = number_between(rng, 1, n - 1)
    words = [word] * right + [pick(rng, others) for _ in range(n - right)]
    rng.shuffle(words)
    text = pick(rng, COUNT).format(w=word, ws=" ".join(words))
    return Question(text, digits(right), nearby(rng, right, n - right), f"{word}/{'+'.join(words)}")


def _copy(rng: Random) -> Question:
    words = rng.sample(EVERYDAY, number_between(rng, 4, LIST_LENGTH[1]))
    which = int(rng.random() * len(ORDINALS))
    right = words[-1 if ORDINALS[which] == "last" else which]
    text = pick(rng, COPY).format(nth=ORDINALS[which], ws=" ".join(words))
    return Question(text, right, [w for w in words if w != right], f"{which}/{'+'.join(words)}")


def _extreme(rng: Random) -> Question:
    numbers = sorted(rng.sample(range(10, NUMBER_MAX + 1), 4))
    largest = rng.random() < 0.5
    right = numbers.pop() if largest else numbers.pop(0)
    text = pick(rng, LARGEST if largest else SMALLEST)
    key = f"{largest}/{right}/{numbers}"
    return Question(text, digits(right), [digits(n) for n in numbers], key)


def _day(rng: Random) -> Question:
    day, n = int(rng.random() * 7), number_between(rng, 1, 3)
    after = rng.random() < 0.6
    right = DAYS[(day + n if after else day - n) % 7]
    text = pick(rng, AFTER if after else BEFORE).format(n=digits(n), day=DAYS[day])
    # So few problems (42) that the options belong to the key.
    wrong = rng.sample([d for d in DAYS if d not in (right, DAYS[day])], 3)
    return Question(text, right, wrong, f"{after}/{n}/{day}/{'+'.join(sorted(wrong))}")


def _member(rng: Random) -> Question:
    category = pick(rng, tuple(CATEGORIES))
    right = pick(rng, CATEGORIES[category])
    wrong = rng.sample([w for w in EVERYDAY if w not in CATEGORIES[category]], 3)
    text = pick(rng, MEMBER).format(category=category)
    return Question(text, right, wrong, f"{category}/{right}/{'+'.join(sorted(wrong))}")


def _odd(rng: Random) -> Question:
    own, other = rng.sample(tuple(CATEGORIES), 2)
    rest, right = rng.sample(CATEGORIES[own], 3), pick(rng, CATEGORIES[other])
    words = [right, *rest]
    rng.shuffle(words)
    text = pick(rng, ODD).format(ws=" ".join(words))
    return Question(text, right, rest, f"{right}/{'+'.join(sorted(rest))}")


def _next(rng: Random) -> Question:
    start, step = number_between(rng, 1, 20), number_between(rng, 1, 5)
    numbers = [start + i * step for i in range(4)]
    text = pick(rng, NEXT).format(ns=" , ".join(digits(n) for n in numbers[:3]))
    right = numbers[3]
    return Question(text, digits(right), nearby(rng, right, right + step), f"{start}/{step}")


@functools.cache
def families() -> tuple[Family, ...]:
    return (
        Family("count", _count, 0.16, 0.16),
        Family("copy", _copy, 0.16, 0.16),
        Family("extreme", _extreme, 0.14, 0.14, open=False),
        Family("day", _day, 0.10, 0.10, open=False),
        Family("member", _member, 0.16, 0.16, open=False),
        Family("odd", _odd, 0.12, 0.12),
        fact_family("opposite", OPPOSITE, OPPOSITES, weight=0.08, pretrain=0.08),
        Family("next", _next, 0.08, 0.08),
    )


def words() -> set[str]:
    """Every word the generator can emit."""
    groups = (COUNT, COPY, LARGEST, SMALLEST, AFTER, BEFORE, MEMBER, ODD, OPPOSITE, NEXT)
    literal = literal_words(t for g in groups for t in g)
    return literal | {*EVERYDAY, *CATEGORIES, *ORDINALS, *DAYS, *OPPOSITES}


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: pretraining rows, or four-option items."""
    if split == "train":
        raise InputError(
            "out_of_domain: found split 'train', expected pretrain, tune or eval; no arm is "
            "fine-tuned on it, drop it from the recipe"
        )
    return take(choice_stream("out_of_domain", families(), split, OPEN_SHARE), n)
