"""Greedy answers whose rows are taken over by other prompts as they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lawcheck.evaluation.packed import packed
from lawcheck.evaluation.rows import Rows, beginnings

# A beginning of fewer tokens is computed with each prompt.
SHARED = 16
# Tokens of prompts that are taken in at a time.
FILL = 4096


class Answer(list[int]):
    """Tokens of an answer; finite: whether the model's numbers were, of which there is no more."""

    finite = True


@torch.inference_mode()
def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    most: int,
    places: int,
    ended: Callable[[Answer], bool],
) -> list[Answer]:
    """The answer to every prompt, up to where it ended or `most` tokens.

    places: rows at a time. ended: whether the last token ends an answer.
    """
    answers = [Answer() for _ in prompts]
    with packed(model):
        for start, members in beginnings(prompts, SHARED):
            _together(model, prompts, start, members, most, places, ended, answers)
    return answers


def _together(
    model: Any,
    prompts: Sequence[Sequence[int]],
    start: int,
    members: Sequence[int],
    most: int,
    places: int,
    ended: Callable[[Answer], bool],
    answers: Sequence[Answer],
) -> None:
    """Answers to prompts that share their first `start` tokens."""
    # The longest first: what is taken in together is of nearly one length, and memory peaks early.
    waiting = sorted(members, key=lambda k: -len(prompts[k]))
    width = len(prompts[waiting[0]]) - start + most
    places = min(places, len(waiting))
    rows = Rows(model, prompts[waiting[0]][:start], places, width)
    alive: list[int] = []

    def take(logits: Tensor, first: int) -> None:
        """Append the next token of the rows from place `first` on; rows that end go."""
        chosen, tokens = logits.max(-1)
        finite = chosen.isfinite().tolist()
        for place, token in enumerate(tokens.tolist(), start=first):
            answer = answers[alive[place]]
            answer.append(token)
            # NaN counts as the largest, so the chosen logit tells.
            answer.finite = finite[place - first]
        for place in reversed(range(first, len(alive))):
            answer = answers[alive[place]]
            if answer.finite and len(answer) < most and not ended(answer):
                continue
            if not answer.finite:
                rows.clear(place)
            last = alive.pop()
            if place < len(alive):
                alive[place] = last
                rows.move(len(alive), place)

    while waiting or alive:
        free = places - len(alive)
        # Some at a time, since a pass reads all weights for however few prompts.
        if waiting and (not alive or free >= max(1, places // 8)):
            count = min(free, len(waiting), max(1, FILL // (len(prompts[waiting[0]]) - start)))
            taken, waiting = waiting[:count], waiting[count:]
            first = len(alive)
            alive += taken
            take(rows.fill([prompts[k][start:] for k in taken], first), first)
            continue
        lengths = [len(prompts[k]) - start + len(answers[k]) - 1 for k in alive]
        take(rows.step([answers[k][-1] for k in alive], lengths), 0)
