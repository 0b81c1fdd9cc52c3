"""General instructions of the proxy world: short orders whose compliance can be verified.

A prompt holds one to three instructions. Many responses comply; the reference response takes
whatever words are free from the start of a fixed list. (With free words drawn at random the best
guess at each place is a word of the prompt, and a small model learns to say nothing else.) A
prompt's key is its instructions with their arguments, free of wording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lawcheck.errors import InputError
from lawcheck.proxy_world import splits
from lawcheck.proxy_world.stream import MAX_TRIES, seeded, take, weighted
from lawcheck.proxy_world.words import (
    CATEGORIES,
    EVERYDAY,
    digits,
    literal_words,
    number_between,
    pick,
)

# Difficulty.
COUNT_MAX = 5  # words to write or to repeat
ORDER_MAX = 3  # words to copy in order or in reverse
LIST_MAX = 3  # items to list
ONE_CONDITION = 0.7  # share of lists under one condition, not two
# Family weights: (training pool and evaluation, pretraining) below, in FAMILIES.

REPEAT = ("repeat {w} {n} times .", "say {w} {n} times .")
WRITE = ("write {n} words", "give {n} words")
START = ("start with {w} .", "the first word is {w} .")
END = ("end with {w} .", "the last word is {w} .")
INCLUDE = ("include {w} .", "use the word {w} .")
FORBID = ("do not use {w} .", "never say {w} .")
IN_ORDER = ("say in order : {ws} .", "copy : {ws} .")
REVERSED = ("say in reverse : {ws} .", "copy in reverse : {ws} .")
LIST = ("list {n} {category} .", "name {n} {category} .")


@dataclass(frozen=True, slots=True)
class Order:
    """instructions: (checker id, arguments) pairs."""

    prompt: str
    response: str
    instructions: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """weight: share in train, tune and eval. pretrain: share in pretraining."""

    name: str
    draw: Callable[[Random], Order]
    weight: float
    pretrain: float


def _repeat(rng: Random) -> Order:
    word, n = pick(rng, EVERYDAY), number_between(rng, 2, COUNT_MAX)
    prompt = pick(rng, REPEAT).format(w=word, n=digits(n))
    arguments = {"word": word, "times": n}
    return Order(prompt, " ".join([word] * n), (("count:repeat_word", arguments),))


def _frequency(rng: Random) -> Order:
    word, last = rng.sample(EVERYDAY, 2)
    n = number_between(rng, 2, COUNT_MAX)
    prompt = f"{pick(rng, REPEAT).format(w=word, n=digits(n))} {pick(rng, END).format(w=last)}"
    instructions = (
        ("count:word_frequency", {"word": word, "times": n}),
        ("position:end_with", {"word": last}),
    )
    return Order(prompt, " ".join([word] * n + [last]), instructions)


# The free words of a response, in this order.
FILLERS = EVERYDAY[:: len(EVERYDAY) // 10]

CONDITIONS = {
    "position:start_with": START,
    "position:end_with": END,
    "keyword:include": INCLUDE,
    "keyword:forbid": FORBID,
}


def _tempting(rng: Random, first_choices: Sequence[str], taken: Sequence[str]) -> str:
    """A word to forbid: half the time one that the reference would else say."""
    tempting = rng.random() < 0.5
    pool = first_choices if tempting else EVERYDAY
    return pick(rng, [w for w in pool if w not in taken] or [w for w in EVERYDAY if w not in taken])


def _write(n_conditions: int) -> Callable[[Random], Order]:
    """So many words, under one or two conditions on words."""

    def draw(rng: Random) -> Order:
        n = number_between(rng, 2, COUNT_MAX)
        checkers = rng.sample(tuple(CONDITIONS), n_conditions)
        named = rng.sample(EVERYDAY, n_conditions)
        given = dict(zip(checkers, named, strict=True))
        if "keyword:forbid" in given:
            given["keyword:forbid"] = _tempting(rng, FILLERS[:n], named)
        words = [w for w in FILLERS if w not in given.values()][:n]
        first, last = given.get("position:start_with"), given.get("position:end_with")
        if first:
            words[0] = first
        if last:
            words[-1] = last
        if included := given.get("keyword:include"):
            words[1 if first else 0] = included
        parts = [f"{pick(rng, WRITE).format(n=digits(n))} ."]
        parts += [pick(rng, CONDITIONS[c]).format(w=w) for c, w in given.items()]
        conditions = tuple((c, {"word": w}) for c, w in given.items())
        instructions = (("count:exact_words", {"n": n}), *conditions)
        return Order(" ".join(parts), " ".join(words), instructions)

    return draw


def _copy(checker: str, templates: tuple[str, ...]) -> Callable[[Random], Order]:
    def draw(rng: Random) -> Order:
        words = rng.sample(EVERYDAY, number_between(rng, 2, ORDER_MAX))
        out = words if checker == "order:in_order" else words[::-1]
        prompt = pick(rng, templates).format(ws=" ".join(words))
        return Order(prompt, " ".join(out), ((checker, {"items": words}),))

    return draw


def _list(rng: Random) -> Order:
    """A list under one or two of: first item given, last item given, one item forbidden."""
    category, n = pick(rng, tuple(CATEGORIES)), number_between(rng, 2, LIST_MAX)
    members = CATEGORIES[category]
    first, last = rng.sample(members, 2)
    conditions = (
        ("position:start_with", START, first),
        ("position:end_with", END, last),
        ("keyword:forbid", FORBID, _tempting(rng, members[:n], (first, last))),
    )
    chosen = rng.sample(conditions, 1 if rng.random() < ONE_CONDITION else 2)
    given = {checker: word for checker, _, word in chosen}
    items = [m for m in members if m not in given.values()][:n]
    if "position:start_with" in given:
        items = [first, *items[: n - 1]]
    if "position:end_with" in given:
        items[-1] = last
    parts = [pick(rng, LIST).format(n=digits(n), category=category)]
    parts += [pick(rng, templates).format(w=word) for _, templates, word in chosen]
    instructions = (
        ("list:items", {"category": category, "n": n}),
        *((checker, {"word": word}) for checker, _, word in chosen),
    )
    return Order(" ".join(parts), " , ".join(items), instructions)


FAMILIES = (
    Family("repeat", _repeat, 0.01, 0.04),
    Family("frequency", _frequency, 0.23, 0.20),
    Family("write_with_one", _write(1), 0.22, 0.22),
    Family("write_with_two", _write(2), 0.10, 0.08),
    Family("in_order", _copy("order:in_order", IN_ORDER), 0.20, 0.22),
    Family("reversed", _copy("order:reversed", REVERSED), 0.04, 0.04),
    Family("list", _list, 0.20, 0.20),
)


def words() -> set[str]:
    """Every word the generator can emit."""
    groups = (REPEAT, WRITE, START, END, INCLUDE, FORBID, IN_ORDER, REVERSED, LIST)
    return literal_words(t for g in groups for t in g) | {*EVERYDAY, *CATEGORIES, ",", "."}


def _stream(split: str) -> Iterator[dict[str, Any]]:
    rng = seeded("general", split)
    family_of = weighted(FAMILIES, split)
    measured = split in ("eval", "tune")
    seen: set[str] = set()
    index = 0
    while True:
        family = family_of(rng)
        for _ in range(MAX_TRIES):
            order = family.draw(rng)
            key = json.dumps(sorted(order.instructions, key=str), sort_keys=True)
            fresh = not (measured and order.prompt in seen)
            if fresh and splits.skill_belongs(split, "general", key):
                break
        else:
            raise InputError(
                f"proxy general: no fresh {family.name!r} prompt for {split!r} after {index} rows; "
                f"expected fewer rows to be asked for; lower the scale's item limit"
            )
        row: dict[str, Any] = {
            "id": f"general.{split}.{index}",
            "discipline": "general",
            "skill": family.name,
            "kind": "instruction",
            "prompt": order.prompt,
        }
        if measured:
            seen.add(order.prompt)
            row["instruction_id_list"] = [name for name, _ in order.instructions]
            row["kwargs"] = [arguments for _, arguments in order.instructions]
        else:
            row["response"] = order.response
        yield row
        index += 1


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or for `eval` and `tune` checkable prompts."""
    return take(_stream(split), n)
