"""Math of the proxy world: word problems of one to three steps with the steps written out.

The response ends in "#### " and the answer, digit by digit. A problem's key is its numbers,
operations and noun, so that no eval problem is trained with another name or verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from lawcheck.errors import InputError
from lawcheck.proxy_world import splits
from lawcheck.proxy_world.stream import MAX_TRIES, seeded, take, weighted
from lawcheck.proxy_world.words import (
    COMPASS,
    LIVING,
    PLACES,
    digits,
    literal_words,
    number_between,
    pick,
    split_words,
)

# Difficulty.
START_MAX = 20  # first quantity
CHANGE_MAX = 9  # added or taken in one step
RESULT_MAX = 40  # of products, and of what is eaten from
FACTORS = (2, 5)  # smallest and largest number of groups
GROUP_MAX = 9  # size of a group
# Family weights: (fine-tuning and evaluation, pretraining) below, in FAMILIES.

NAMES = ("tom", "mia", "ana", "ben", "leo", "zoe", "sam", "eva")
THINGS = ("pens", "books", "coins", "cards", "cups", "balls", "apples", "stamps")
NOUNS = THINGS + LIVING
MORE = ("buys", "finds", "gets")
LESS = ("gives", "loses", "sells")

HAVE = "{name} has {a} {noun} ."
CHANGE = "{verb} {b} ."
ASK = ("how many {noun} ?", "how many {noun} now ?", "how many {noun} are left ?")
GROUPS = ("{a} boxes hold {b} {noun} each . how many {noun} ?",)
FEED = "{a} {eaters} eat {b} {food} each . how many {food} ?"
SHARE = "{name} shares {a} {noun} with {b} friends equally . how many for each friend ?"
COMPARE = "{name} has {a} {noun} . {other} has {b} more . how many {noun} in all ?"
WALK = "{name} goes {a} miles {way} and {b} miles {back} . how far from the {place} ?"
PATH = (
    "{name} goes {a} miles {way} , turns {turn} and goes {b} miles . how long is the way in all ?"
)
TURNS = ("left", "right", "back")
TIME = "{name} goes {a} miles each hour . how many miles in {b} hours ?"
AGE = "{name} is {a} years old . how old in {b} years ?"
GROWTH = (
    "the number of {noun} doubles each year . {a} {noun} at first . how many after {b} years ?",
    "{a} {noun} at first . the number doubles each year . how many {noun} after {b} years ?",
)
ISLAND = "an island has {a} {noun} . {b} {verb} . how many {noun} ?"
EAT_UP = "{name} has {a} {food} . {b} {eaters} eat {c} {food} each . how many {food} are left ?"
COME = ("come", "leave")
EATERS = ("foxes", "hens", "birds", "rabbits", "fish", "bees")
FOOD = ("hens", "seeds", "plants", "fish", "apples")


@dataclass(frozen=True, slots=True)
class Problem:
    """steps: (left, sign, right, result) of each intermediate step, in order."""

    text: str
    key: str
    steps: tuple[tuple[int, str, int, int], ...]

    @property
    def answer(self) -> str:
        return digits(self.steps[-1][3])

    @property
    def response(self) -> str:
        lines = (f"{digits(a)} {s} {digits(b)} = {digits(c)}" for a, s, b, c in self.steps)
        return f"{' . '.join(lines)} #### {self.answer}"


@dataclass(frozen=True, slots=True)
class Family:
    """weight: share in train, tune and eval. pretrain: share in pretraining."""

    name: str
    draw: Callable[[Random], Problem]
    weight: float
    pretrain: float


def _chain(n_steps: int) -> Callable[[Random], Problem]:
    """A quantity that is added to or taken from n times."""

    def draw(rng: Random) -> Problem:
        noun = pick(rng, NOUNS)
        value = start = number_between(rng, 1, START_MAX)
        steps: list[tuple[int, str, int, int]] = []
        parts = [HAVE.format(name=pick(rng, NAMES), a=digits(start), noun=noun)]
        for _ in range(n_steps):
            change = number_between(rng, 1, CHANGE_MAX)
            sign = "+" if rng.random() < 0.5 else "-"
            if sign == "-" and change > value:
                sign = "+"
            after = value + change if sign == "+" else value - change
            verb = pick(rng, MORE if sign == "+" else LESS)
            parts.append(CHANGE.format(verb=verb, b=digits(change)))
            steps.append((value, sign, change, after))
            value = after
        parts.append(pick(rng, ASK).format(noun=noun))
        key = f"{start}{''.join(f'{s}{b}' for _, s, b, _ in steps)}/{noun}"
        return Problem(" ".join(parts), key, tuple(steps))

    return draw


def _product(rng: Random) -> Problem:
    a, b = number_between(rng, *FACTORS), number_between(rng, 2, GROUP_MAX)
    kind = int(rng.random() * 3)
    if kind == 0:
        noun = pick(rng, NOUNS)
        text = pick(rng, GROUPS).format(a=digits(a), b=digits(b), noun=noun)
    elif kind == 1:
        eaters, noun = _meal(rng)
        text = FEED.format(a=digits(a), b=digits(b), eaters=eaters, food=noun)
    else:
        noun = "hours"
        name = pick(rng, NAMES)
        text = TIME.format(name=name, a=digits(a), b=digits(b))
        noun = f"hours/{name}"
    return Problem(text, f"{a}*{b}/{kind}/{noun}", ((a, "*", b, a * b),))


def _meal(rng: Random) -> tuple[str, str]:
    while True:
        eaters, food = pick(rng, EATERS), pick(rng, FOOD)
        if eaters != food:
            return eaters, food


def _share(rng: Random) -> Problem:
    friends, each = number_between(rng, *FACTORS), number_between(rng, 2, GROUP_MAX)
    total, noun = friends * each, pick(rng, NOUNS)
    text = SHARE.format(name=pick(rng, NAMES), a=digits(total), b=digits(friends), noun=noun)
    return Problem(text, f"{total}/{friends}/{noun}", ((total, "/", friends, each),))


def _compare(rng: Random) -> Problem:
    a, b, noun = number_between(rng, 1, 12), number_between(rng, 1, CHANGE_MAX), pick(rng, NOUNS)
    name, other = rng.sample(NAMES, 2)
    text = COMPARE.format(name=name, other=other, a=digits(a), b=digits(b), noun=noun)
    return Problem(text, f"{a}&{b}/{noun}", ((a, "+", b, a + b), (a, "+", a + b, 2 * a + b)))


def _walk(rng: Random) -> Problem:
    way = int(rng.random() * 4)
    same = rng.random() < 0.5
    a, b = number_between(rng, 1, START_MAX), number_between(rng, 1, CHANGE_MAX)
    back = way if same else (way + 2) % 4
    if rng.random() < 0.4:
        name, turn = pick(rng, NAMES), pick(rng, TURNS)
        text = PATH.format(name=name, a=digits(a), b=digits(b), way=COMPASS[way], turn=turn)
        return Problem(text, f"{a}+{b}/{way}/{turn}", ((a, "+", b, a + b),))
    place = pick(rng, PLACES)
    text = WALK.format(
        name=pick(rng, NAMES),
        a=digits(a),
        b=digits(b),
        way=COMPASS[way],
        back=COMPASS[back],
        place=place,
    )
    high, low = max(a, b), min(a, b)
    step = (a, "+", b, a + b) if same else (high, "-", low, high - low)
    return Problem(text, f"{a}{'+' if same else '-'}{b}/{way}/{place}", (step,))


def _age(rng: Random) -> Problem:
    a, b = number_between(rng, 1, START_MAX), number_between(rng, 1, CHANGE_MAX)
    name = pick(rng, NAMES)
    text = AGE.format(name=name, a=digits(a), b=digits(b))
    return Problem(text, f"{a}+{b}/{name}", ((a, "+", b, a + b),))


def _growth(rng: Random) -> Problem:
    years, noun = number_between(rng, 1, 3), pick(rng, LIVING)
    a = number_between(rng, 1, RESULT_MAX // 2**years)
    steps, value = [], a
    for _ in range(years):
        steps.append((value, "+", value, 2 * value))
        value *= 2
    text = pick(rng, GROWTH).format(noun=noun, a=digits(a), b=digits(years))
    return Problem(text, f"{a}^{years}/{noun}", tuple(steps))


def _island(rng: Random) -> Problem:
    b = number_between(rng, 1, CHANGE_MAX)
    a, noun, come = number_between(rng, b, START_MAX), pick(rng, LIVING), rng.random() < 0.5
    text = ISLAND.format(a=digits(a), b=digits(b), noun=noun, verb=COME[0 if come else 1])
    step = (a, "+", b, a + b) if come else (a, "-", b, a - b)
    return Problem(text, f"{a}{'+' if come else '-'}{b}/{noun}", (step,))


def _eat_up(rng: Random) -> Problem:
    eaters, food = _meal(rng)
    b, c = number_between(rng, *FACTORS), number_between(rng, 2, 5)
    a = number_between(rng, b * c, RESULT_MAX)
    text = EAT_UP.format(
        name=pick(rng, NAMES), a=digits(a), b=digits(b), c=digits(c), eaters=eaters, food=food
    )
    steps = ((b, "*", c, b * c), (a, "-", b * c, a - b * c))
    return Problem(text, f"{a}-{b}*{c}/{eaters}/{food}", steps)


FAMILIES = (
    Family("one_step", _chain(1), 0.16, 0.22),
    Family("two_steps", _chain(2), 0.24, 0.22),
    Family("three_steps", _chain(3), 0.16, 0.08),
    Family("product", _product, 0.08, 0.10),
    Family("share", _share, 0.06, 0.04),
    Family("compare", _compare, 0.08, 0.06),
    Family("walk", _walk, 0.08, 0.10),
    Family("age", _age, 0.04, 0.08),
    Family("growth", _growth, 0.04, 0.04),
    Family("island", _island, 0.04, 0.06),
    Family("eat_up", _eat_up, 0.04, 0.02),
)


def words() -> set[str]:
    """Every word the generator can emit."""
    templates = (HAVE, CHANGE, *ASK, *GROUPS, FEED, SHARE, COMPARE, WALK, PATH, TIME, AGE, *GROWTH)
    return (
        literal_words((*templates, ISLAND, EAT_UP))
        | split_words(
            (*NAMES, *NOUNS, *MORE, *LESS, *COME, *EATERS, *FOOD, *PLACES, *COMPASS, *TURNS)
        )
        | {"+", "-", "*", "/", "=", "####", "."}
    )


def _stream(split: str) -> Iterator[dict[str, Any]]:
    rng = seeded("math", split)
    family_of = weighted(FAMILIES, split)
    measured = split in ("eval", "tune")
    seen: set[str] = set()
    index = 0
    while True:
        family = family_of(rng)
        for _ in range(MAX_TRIES):
            problem = family.draw(rng)
            if splits.skill_belongs(split, "math", family.name, problem.key) and not (
                measured and problem.text in seen
            ):
                break
        else:
            raise InputError(
                f"proxy math: no fresh {family.name!r} problem for {split!r} after {index} rows; "
                f"expected fewer rows to be asked for; lower the scale's item limit"
            )
        row: dict[str, Any] = {
            "id": f"math.{split}.{index}",
            "discipline": "math",
            "skill": family.name,
            "kind": "open",
        }
        if measured:
            seen.add(problem.text)
            row |= {"question": problem.text, "answer": problem.answer, "cluster": problem.key}
        else:
            row |= {"prompt": problem.text, "response": problem.response}
        yield row
        index += 1


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or for `eval` and `tune` generation items."""
    return take(_stream(split), n)
