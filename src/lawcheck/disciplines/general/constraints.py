"""Checkers for instructions whose compliance can be verified, in the manner of IFEval.

Each checker is a pure function of the response's words and the instruction's arguments. Words are
whitespace-separated; a comma is a word of its own. Every checker fails on an empty response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lawcheck.errors import InputError, nearest
from lawcheck.proxy_world.words import CATEGORIES

Words = Sequence[str]


def repeat_word(words: Words, word: str, times: int) -> bool:
    """Nothing but the word, so many times."""
    return list(words) == [word] * times


def word_frequency(words: Words, word: str, times: int) -> bool:
    """The word so many times, among other words or not."""
    return list(words).count(word) == times


def exact_words(words: Words, n: int) -> bool:
    return len(words) == n


def start_with(words: Words, word: str) -> bool:
    return words[0] == word


def end_with(words: Words, word: str) -> bool:
    return words[-1] == word


def include(words: Words, word: str) -> bool:
    return word in words


def forbid(words: Words, word: str) -> bool:
    return word not in words


def in_order(words: Words, items: Sequence[str]) -> bool:
    """Exactly these words in this order."""
    return list(words) == list(items)


def reversed_order(words: Words, items: Sequence[str]) -> bool:
    """Exactly these words, last one first."""
    return list(words) == list(items)[::-1]


def list_items(words: Words, category: str, n: int) -> bool:
    """n different members of the category with commas between them."""
    items, commas = words[::2], words[1::2]
    return (
        len(words) == 2 * n - 1
        and all(c == "," for c in commas)
        and len(set(items)) == n
        and all(i in CATEGORIES[category] for i in items)
    )


CHECKERS: Mapping[str, Callable[..., bool]] = {
    "count:repeat_word": repeat_word,
    "count:word_frequency": word_frequency,
    "count:exact_words": exact_words,
    "position:start_with": start_with,
    "position:end_with": end_with,
    "keyword:include": include,
    "keyword:forbid": forbid,
    "order:in_order": in_order,
    "order:reversed": reversed_order,
    "list:items": list_items,
}


def follows(response: str, instruction: str, arguments: Mapping[str, Any]) -> bool:
    """Whether the response follows one instruction."""
    if instruction not in CHECKERS:
        raise InputError(
            f"instruction {instruction!r} has no checker; {nearest(instruction, CHECKERS)}"
        )
    words = response.split()
    given = {k: v for k, v in arguments.items() if v is not None}
    return bool(words) and CHECKERS[instruction](words, **given)


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """lm-eval hook: share of instructions followed, and whether all of them are.

    Arguments that are None are ignored: the JSON loader fills missing fields with it.
    """
    followed = [
        follows(results[0], instruction, arguments)
        for instruction, arguments in zip(doc["instruction_id_list"], doc["kwargs"], strict=True)
    ]
    return {
        "prompt_level_strict_acc": float(all(followed)),
        "inst_level_strict_acc": sum(followed) / len(followed),
    }
