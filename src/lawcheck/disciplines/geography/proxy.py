"""Geography of the proxy world: an invented gazetteer on a grid, and places in plain words.

Eighteen cities lie on a grid that six countries and three continents divide, so that position
and containment agree. Gazetteer families name places: discipline-specific words. Plain families
(turns, relative position, map scale, clocks) use words that other disciplines use too.
PLAIN_SHARE of the samples is plain.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random
from typing import Any

from lawcheck.proxy_world.stream import (
    Family,
    Question,
    choice_stream,
    fact_family,
    shared_out,
    take,
)
from lawcheck.proxy_world.words import (
    COMPASS,
    PLACES,
    digits,
    invented_names,
    literal_words,
    nearby,
    number_between,
    pick,
    split_words,
)

# Difficulty.
OPEN_SHARE = 0.4  # of training rows, without options
PLAIN_SHARE = 0.45  # of samples, without discipline-specific words
CITIES_PER_COUNTRY = 3
ONE_TURN = 0.75  # share of turn questions with one turn, not two
MILES_MAX, BACK_MAX = 12, 6  # of a trip in miles or hours
SIDE = 4  # a country is SIDE x SIDE grid cells; countries stand 3 wide and 2 high
# Family weights: (fine-tuning and evaluation, pretraining) below, in families().

_CITY_HEADS = (
    "arv", "bel", "cor", "dun", "elk", "fal", "gor", "har", "ist", "jul", "kem", "lor", "mar",
    "nor", "oss", "pel", "quin", "ros", "sel", "tor", "ulm", "var", "wes", "yor",
)  # fmt: skip
_CITY_TAILS = ("by", "ton", "ford", "mouth", "wick", "burg")
_LAND_HEADS = ("zan", "ker", "mol", "tav", "bren", "osk")
_RIVER_HEADS = ("lim", "sav", "dor", "ner", "tib", "vol")
_CONTINENT_HEADS = ("aur", "bor", "mer")

COUNTRY = ("country of {x} ?", "which country holds {x} ?", "{x} : country ?")
CAPITAL = ("capital of {x} ?", "which city rules {x} ?", "{x} : capital ?")
CONTINENT = ("continent of {x} ?", "which continent holds {x} ?", "{x} : continent ?")
RIVER = ("river of {x} ?", "which river crosses {x} ?", "{x} : river ?")
DIRECTION = ("direction from {a} to {b} ?", "{b} lies which way from {a} ?")
NEAREST = ("which city is nearest to {a} ?", "{a} : nearest city ?")
DISTANCE = ("distance from {a} to {b} ?", "how far is {b} from {a} ?")
SAME = ("which city is in the same country as {a} ?", "{a} shares a country with ?")
TURN = (
    "{name} goes {miles} miles {way} . {turns} now which way ?",
    "{name} goes {miles} miles {way} . {turns} which way now ?",
)
TURNS = ("turns left .", "turns right .", "turns back .")
BETWEEN = "the {a} is {way} of the {b} . the {c} is {way} of the {a} . {question}"
BETWEEN_QUESTIONS = ("what is {way} of all ?", "the {b} is which way of the {c} ?")
SCALE = "each of {a} boxes is {b} miles . how many miles in all ?"
CLOCK = "{name} goes {a} hours {way} and {b} hours {back} . how many hours in all ?"
FAR = "{name} goes {a} miles {way} and {b} miles {back} . how far from the {place} ?"
NAMES = ("tom", "mia", "ana", "ben", "leo", "zoe", "sam", "eva")


@dataclass(frozen=True, slots=True)
class City:
    """x grows to the east, y to the north."""

    name: str
    country: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Gazetteer:
    cities: tuple[City, ...]
    capitals: dict[str, str]
    continents: dict[str, str]
    rivers: dict[str, str]


@functools.cache
def gazetteer() -> Gazetteer:
    """The world's map, always the same one."""
    rng = Random("gazetteer")
    names = iter(invented_names("cities", 6 * CITIES_PER_COUNTRY, _CITY_HEADS, _CITY_TAILS))
    countries = invented_names("countries", 6, _LAND_HEADS, ("ia", "land", "ora"))
    rivers = invented_names("rivers", 6, _RIVER_HEADS, ("ana", "en", "is"))
    continents = invented_names("continents", 3, _CONTINENT_HEADS, ("asia", "opa"))
    cities: list[City] = []
    capitals, of_continent = {}, {}
    cells = [(x, y) for x in range(SIDE) for y in range(SIDE)]
    for i, country in enumerate(countries):
        column, row = i % 3, i // 3
        for x, y in rng.sample(cells, CITIES_PER_COUNTRY):
            cities.append(City(next(names), country, column * SIDE + x, row * SIDE + y))
        capitals[country] = cities[-1 - int(rng.random() * CITIES_PER_COUNTRY)].name
        of_continent[country] = continents[column]
    return Gazetteer(
        tuple(cities), capitals, of_continent, dict(zip(countries, rivers, strict=True))
    )


def direction(a: City, b: City) -> str | None:
    """Where b lies as seen from a, along the axis on which it is farther; None if neither is."""
    dx, dy = b.x - a.x, b.y - a.y
    if abs(dx) == abs(dy):
        return None
    if abs(dx) > abs(dy):
        return "east" if dx > 0 else "west"
    return "north" if dy > 0 else "south"


def distance(a: City, b: City) -> int:
    """Grid steps along the axes."""
    return abs(a.x - b.x) + abs(a.y - b.y)


def _pair(rng: Random) -> tuple[City, City]:
    a, b = rng.sample(gazetteer().cities, 2)
    return a, b


def _pair_key(a: City, b: City) -> str:
    return "/".join(sorted((a.name, b.name)))


def _direction(rng: Random) -> Question:
    a, b = _pair(rng)
    while (answer := direction(a, b)) is None:
        a, b = _pair(rng)
    text = pick(rng, DIRECTION).format(a=a.name, b=b.name)
    return Question(text, answer, [p for p in COMPASS if p != answer], _pair_key(a, b))


def _distance(rng: Random) -> Question:
    a, b = _pair(rng)
    right = distance(a, b)
    text = pick(rng, DISTANCE).format(a=a.name, b=b.name)
    wrong = nearby(rng, right, right + 2, right - 2, right + 4, right - 4)
    return Question(text, digits(right), wrong, _pair_key(a, b))


def _nearest(rng: Random) -> Question:
    """Options are the nearest of four cities and three that lie strictly farther."""
    while True:
        a, *others = rng.sample(gazetteer().cities, 5)
        others.sort(key=lambda c: distance(a, c))
        if distance(a, others[0]) < distance(a, others[1]):
            break
    near, *far = (c.name for c in others)
    key = f"{a.name}/{near}/{'/'.join(sorted(far))}"
    return Question(pick(rng, NEAREST).format(a=a.name), near, far, key)


def _same_country(rng: Random) -> Question:
    cities = gazetteer().cities
    a = pick(rng, cities)
    right = pick(rng, [c for c in cities if c.country == a.country and c != a])
    wrong = rng.sample([c.name for c in cities if c.country != a.country], 3)
    facts = (f"country/{a.name}", f"country/{right.name}")
    return Question(pick(rng, SAME).format(a=a.name), right.name, wrong, _pair_key(a, right), facts)


def _turn(rng: Random) -> Question:
    # Name and miles are idle: without them a held-out problem could be told from its neighbours.
    way, name, miles = int(rng.random() * 4), pick(rng, NAMES), number_between(rng, 1, MILES_MAX)
    turns = [int(rng.random() * 3) for _ in range(1 if rng.random() < ONE_TURN else 2)]
    end = (way + sum((-1, 1, 2)[t] for t in turns)) % 4
    text = pick(rng, TURN).format(
        name=name,
        miles=digits(miles),
        way=COMPASS[way],
        turns=" ".join(TURNS[t] for t in turns),
    )
    wrong = [p for p in COMPASS if p != COMPASS[end]]
    return Question(text, COMPASS[end], wrong, f"{name}/{miles}/{way}/{turns}")


def _between(rng: Random) -> Question:
    """b, a, c lie in this order along one way."""
    a, b, c, stranger = rng.sample(PLACES, 4)
    way = int(rng.random() * 4)
    key = f"{a}/{b}/{c}/{way}"
    which = int(rng.random() * 2)
    question = BETWEEN_QUESTIONS[which].format(b=b, c=c, way=COMPASS[way])
    text = BETWEEN.format(a=a, b=b, c=c, way=COMPASS[way], question=question)
    if which == 0:
        return Question(text, c, [a, b, stranger], f"{key}/far")
    back = COMPASS[(way + 2) % 4]
    return Question(text, back, [p for p in COMPASS if p != back], f"{key}/back")


def _scale(rng: Random) -> Question:
    a, b = number_between(rng, 2, 5), number_between(rng, 2, 9)
    text = SCALE.format(a=digits(a), b=digits(b))
    return Question(
        text, digits(a * b), nearby(rng, a * b, a + b, a * b + a, a * b - b), f"{a}*{b}"
    )


def _trip(rng: Random) -> Question:
    """Miles along one line: how far from the start, or hours in all."""
    a, b = number_between(rng, 1, MILES_MAX), number_between(rng, 1, BACK_MAX)
    way, name = int(rng.random() * 4), pick(rng, NAMES)
    same, place = rng.random() < 0.5, pick(rng, PLACES)
    back = COMPASS[way if same else (way + 2) % 4]
    given = {"name": name, "a": digits(a), "b": digits(b), "way": COMPASS[way], "back": back}
    if rng.random() < 0.3:
        right, slip, text = a + b, abs(a - b), CLOCK.format(**given)
        key = f"hours/{a}+{b}/{way}/{name}"
    else:
        right, slip = (a + b, abs(a - b)) if same else (abs(a - b), a + b)
        text = FAR.format(**given, place=place)
        key = f"miles/{a}{'+' if same else '-'}{b}/{way}/{place}"
    return Question(text, digits(right), nearby(rng, right, slip), key)


@functools.cache
def families() -> tuple[Family, ...]:
    world = gazetteer()
    countries = {c.name: c.country for c in world.cities}
    all_names = [c.name for c in world.cities]
    other_cities = {n: [c for c in all_names if c != k] for n, k in world.capitals.items()}
    lands = sorted(set(world.continents.values()) | set(world.capitals))
    other_lands = {n: [w for w in lands if w not in (c, n)] for n, c in world.continents.items()}
    plain = (
        Family("turn", _turn, 0.30, 0.30),
        Family("between", _between, 0.34, 0.34),
        Family("scale", _scale, 0.06, 0.06),
        Family("trip", _trip, 0.30, 0.30),
    )
    named = (
        fact_family("country", COUNTRY, countries, weight=0.28, pretrain=0.28),
        fact_family(
            "capital", CAPITAL, world.capitals, weight=0.10, pretrain=0.10, wrong=other_cities
        ),
        fact_family(
            "continent", CONTINENT, world.continents, weight=0.06, pretrain=0.06, wrong=other_lands
        ),
        fact_family("river", RIVER, world.rivers, weight=0.12, pretrain=0.12),
        Family("direction", _direction, 0.22, 0.22),
        Family("distance", _distance, 0.04, 0.04),
        Family("nearest", _nearest, 0.08, 0.08, open=False),
        Family("same_country", _same_country, 0.10, 0.10, open=False),
    )
    return shared_out(plain, PLAIN_SHARE) + shared_out(named, 1 - PLAIN_SHARE)


def words() -> set[str]:
    """Every word the generator can emit."""
    groups = (COUNTRY, CAPITAL, CONTINENT, RIVER, DIRECTION, NEAREST, DISTANCE, SAME, TURN, TURNS)
    singles = (*BETWEEN_QUESTIONS, BETWEEN, SCALE, CLOCK, FAR)
    literal = literal_words((*(t for g in groups for t in g), *singles))
    world = gazetteer()
    named = {c.name for c in world.cities} | {*world.capitals, *world.rivers.values()}
    return (
        literal | named | set(world.continents.values()) | split_words((*COMPASS, *PLACES, *NAMES))
    )


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or four-option items for `eval` and `tune`."""
    return take(choice_stream("geography", families(), split, OPEN_SHARE), n)
