"""Rows of a discipline: questions drawn from weighted families until n of them fit the split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from random import Random
from typing import Any

from lawcheck.errors import InputError
from lawcheck.proxy_world import splits
from lawcheck.proxy_world.words import pick

WORLD = "proxy-1"
MAX_TRIES = 20_000
N_CHOICES = 4


@dataclass(frozen=True, slots=True)
class Question:
    """text: without options. wrong: at least three candidates of the answer's type, none right.

    key: the canonical problem; questions with equal keys are dependent items. facts: cells of
    tables that the answer rests on. wording: index of the wording if this asks for one fact
    (`wordings` of them exist), None if it is a skill.
    """

    text: str
    answer: str
    wrong: Sequence[str]
    key: str
    facts: tuple[str, ...] = ()
    wording: int | None = None
    wordings: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """A sub-skill. weight: share in train, tune and eval. pretrain: share in pretraining.

    open: whether the question can be asked without options.
    """

    name: str
    draw: Callable[[Random], Question]
    weight: float
    pretrain: float
    open: bool = True


def fact_family(
    name: str,
    wordings: tuple[str, ...],
    table: dict[str, str],
    *,
    weight: float,
    pretrain: float,
    wrong: Mapping[str, Sequence[str]] | None = None,
    fact: Callable[[str], str] | None = None,
    open: bool = True,
) -> Family:
    """Family that asks for the cells of a table, with `{x}` in the wordings for the row.

    wrong: candidates per row; default: the table's other values with as many words.
    fact: row -> fact key, for two families that ask the same fact in two directions.
    """
    rows = tuple(table)
    values = sorted(set(table.values()))
    if wrong is None:
        wrong = {
            x: [v for v in values if v != a and len(v.split()) == len(a.split())]
            for x, a in table.items()
        }
    keys = {x: fact(x) if fact else f"{name}/{x}" for x in rows}
    texts = {(x, w): t.format(x=x) for x in rows for w, t in enumerate(wordings)}

    def draw(rng: Random) -> Question:
        x = pick(rng, rows)
        w = int(rng.random() * len(wordings))
        return Question(texts[x, w], table[x], wrong[x], keys[x], (keys[x],), w, len(wordings))

    return Family(name, draw, weight, pretrain, open)


def choice_prompt(question: str, choices: Sequence[str]) -> str:
    """The multiple-choice form, the same in training and evaluation."""
    return f"{question} options : {' ; '.join(choices)}"


def weighted(families: Sequence[Any], split: str) -> Callable[[Random], Any]:
    """Draws a family by its weight in the split."""
    weights = [f.pretrain if split == "pretrain" else f.weight for f in families]
    bounds = list(accumulate(weights))

    def draw(rng: Random) -> Any:
        point = rng.random() * bounds[-1]
        return next(f for f, b in zip(families, bounds, strict=True) if point < b)

    return draw


def seeded(discipline: str, split: str) -> Random:
    """The split's own generator; equal on every supported Python."""
    splits.require_split(split)
    return Random(f"{WORLD}/{discipline}/{split}")


def take(rows: Iterator[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """The first n rows."""
    if n < 0:
        raise InputError(f"samples: asked for {n} rows, expected a count of 0 or more; fix n")
    return list(islice(rows, n))


def choice_stream(
    discipline: str, families: Sequence[Family], split: str, open_share: float
) -> Iterator[dict[str, Any]]:
    """Rows of a multiple-choice discipline, endless until the split's questions run out.

    open_share: share of training rows, among families that allow it, without options.
    `eval` and `tune` hold no question twice and put the answer in each position equally often.
    """
    rng = seeded(discipline, split)
    family_of = weighted(families, split)
    measured = split in ("eval", "tune")
    seen: set[str] = set()
    index = 0
    while True:
        family = family_of(rng)
        is_open = not measured and family.open and rng.random() < open_share
        for _ in range(MAX_TRIES):
            question = family.draw(rng)
            if not _allowed(discipline, family.name, question, split):
                continue
            if is_open:
                row = {"kind": "open", "prompt": question.text, "response": question.answer}
                break
            choices, position = _choices(rng, question, index % N_CHOICES if measured else None)
            prompt = choice_prompt(question.text, choices)
            if measured:
                if prompt in seen:
                    continue
                if question.wording is not None and not splits.fact_question_belongs(split, prompt):
                    continue
                seen.add(prompt)
                row = {
                    "kind": "choice",
                    "question": question.text,
                    "choices": choices,
                    "answer": position,
                    "cluster": question.key,
                }
            else:
                row = {"kind": "choice", "prompt": prompt, "response": question.answer}
            break
        else:
            raise InputError(
                f"proxy {discipline}: no fresh {family.name!r} question for {split!r} after "
                f"{index} rows; expected fewer rows to be asked for; lower the scale's item limit"
            )
        yield {
            "id": f"{discipline}.{split}.{index}",
            "discipline": discipline,
            "skill": family.name,
            **row,
        }
        index += 1


def _allowed(discipline: str, family: str, question: Question, split: str) -> bool:
    if split == "pretrain" and any(splits.withheld(discipline, f) for f in question.facts):
        return False
    if question.wording is None:
        return splits.skill_belongs(split, discipline, family, question.key)
    reserved = splits.held_out_wording(discipline, family, question.key, question.wordings)
    return (question.wording == reserved) == (split in ("eval", "tune"))


def _choices(rng: Random, question: Question, position: int | None) -> tuple[list[str], int]:
    wrong = list(question.wrong)
    # A partial Fisher-Yates shuffle: three distinct wrong answers in random order.
    for i in range(N_CHOICES - 1):
        j = i + int(rng.random() * (len(wrong) - i))
        wrong[i], wrong[j] = wrong[j], wrong[i]
    chosen = wrong[: N_CHOICES - 1]
    if position is None:
        position = int(rng.random() * N_CHOICES)
    chosen.insert(position, question.answer)
    return chosen, position


def shared_out(families: Sequence[Family], share: float) -> tuple[Family, ...]:
    """The families with their weights scaled to sum to `share`, in both mixtures."""
    weight = sum(f.weight for f in families)
    pretrain = sum(f.pretrain for f in families)
    return tuple(
        replace(f, weight=share * f.weight / weight, pretrain=share * f.pretrain / pretrain)
        for f in families
    )
