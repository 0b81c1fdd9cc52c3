"""How likely a model finds right answers: numbers that items have beside their score.

One more pass through the scorer: every prompt once, followed by each of its own options, or by the
gold answer of a generated one, and by the gold answer of the item that borrows the prompt. Nothing
is generated. docs/likelihood.md defines the quantities and says which tokens are an answer's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lawcheck.declare.metrics import BITS, INFORMATION, NORMALISED, PROBABILITY
from lawcheck.evaluation.model import PrefixSharingLM, Request
from lawcheck.evaluation.tasks import PlacedTask


@dataclass(frozen=True, kw_only=True)
class Question:
    """An item as it is asked. text: without template, for classes of length. answers: the options,
    or the gold answer of a generated one. right: places of the right ones. delimiter: before each.
    """

    item: str
    text: str
    prompt: str
    answers: tuple[str, ...]
    right: tuple[int, ...]
    delimiter: str
    chosen_from: bool

    @property
    def gold(self) -> str | None:
        """The one right answer; None where several are right, or it is empty."""
        return self.answers[self.right[0]] or None if len(self.right) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Requests of one task. own: item -> where its answers begin; foreign: where its gold answer
    under another item's prompt is.
    """

    questions: tuple[Question, ...]
    requests: list[Request]
    own: Mapping[str, int]
    foreign: Mapping[str, int]


def prepare(placed: PlacedTask, lm: PrefixSharingLM) -> Pass:
    """The requests of a task whose questions were worded (`build_requests`), for many models."""
    questions = tuple(_questions(placed))
    requests: list[Request] = []
    own: dict[str, int] = {}
    for q in questions:
        own[q.item] = len(requests)
        requests += [_request(lm, q.prompt, q.delimiter + a) for a in q.answers]
    golden = {q.item: q for q in questions if q.gold is not None}
    lent = partners({i: q.text for i, q in golden.items()})
    foreign: dict[str, int] = {}
    for item, other in lent.items():
        foreign[item] = len(requests)
        q = golden[item]
        requests.append(_request(lm, golden[other].prompt, f"{q.delimiter}{q.gold}"))
    return Pass(questions=questions, requests=requests, own=own, foreign=foreign)


def measured(asked: Pass, lm: PrefixSharingLM) -> Iterator[tuple[str, str, float]]:
    """(item, metric, value); NaN where the model's numbers are not finite. A quantity that an item
    does not have is left out.
    """
    # An answer without a token of its own has no likelihood.
    scored = [k for k, (_, _, tokens) in enumerate(asked.requests) if tokens]
    usual = lm.softmax_dtype
    # The harness takes the softmax in the model's own precision: in bfloat16, logarithms between 4
    # and 8 come in steps of 1/32, in which options tie.
    lm.softmax_dtype = torch.float32
    try:
        answers = lm._loglikelihood_tokens([asked.requests[k] for k in scored], disable_tqdm=True)
    finally:
        lm.softmax_dtype = usual
    logs = [math.nan] * len(asked.requests)
    for k, (value, _) in zip(scored, answers, strict=True):
        logs[k] = value
    for q in asked.questions:
        start = asked.own[q.item]
        own = logs[start : start + len(q.answers)]
        sizes = [len(a.encode()) for a in q.answers]
        if q.gold is not None:
            gold = own[q.right[0]]
            yield q.item, BITS, _finite(-gold / math.log(2) / sizes[q.right[0]])
            if q.item in asked.foreign:
                gained = gold - logs[asked.foreign[q.item]]
                yield q.item, INFORMATION, _finite(gained / math.log(2))
        if q.chosen_from:
            yield q.item, PROBABILITY, _share(own, q.right)
            if all(sizes):
                each = [x / n for x, n in zip(own, sizes, strict=True)]
                yield q.item, NORMALISED, _share(each, q.right)


def partners(texts: Mapping[str, str]) -> dict[str, str]:
    """Item -> the item under whose prompt its gold answer is scored as well.

    texts: of the questions, by item. Partners have as many bytes up to a factor of two: the class
    is the number's count of binary digits, and a class of one item joins the next longer one, or
    the next shorter where there is none. Inside a class items stand in the order of a hash of their
    ids, and each borrows from the one behind it, the last from the first: so every item lends its
    prompt once, and none to itself. Empty for a single item.
    """
    classes: dict[int, list[str]] = {}
    for item, text in texts.items():
        classes.setdefault(len(text.encode()).bit_length(), []).append(item)
    rings: list[list[str]] = []
    for size in sorted(classes, reverse=True):
        # From the longest down, so that a lone item meets the class above it.
        if rings and (len(rings[-1]) == 1 or len(classes[size]) == 1):
            rings[-1] += classes[size]
        else:
            rings.append(classes[size])
    found: dict[str, str] = {}
    for ring in rings:
        ring.sort(key=lambda item: hashlib.sha256(item.encode()).digest())
        if len(ring) > 1:
            found |= zip(ring, [*ring[1:], ring[0]], strict=True)
    return found


def _questions(placed: PlacedTask) -> Iterator[Question]:
    task = placed.task
    if getattr(task, "multiple_input", 0):  # The options are in the prompts.
        return
    seen: set[int] = set()
    for instance in task.instances:
        if instance.doc_id in seen:
            continue
        seen.add(instance.doc_id)
        document = instance.doc
        chosen_from = task.OUTPUT_TYPE == "multiple_choice"
        target = task.doc_to_target(document)
        if chosen_from:
            answers = tuple(map(str, task.doc_to_choice(document)))
            right = _right(target, answers)
        else:
            answers = (target,) if isinstance(target, str) and target.strip() else ()
            right = tuple(range(len(answers)))
        if not right or task.OUTPUT_TYPE not in ("multiple_choice", "generate_until"):
            continue
        prefix = task.config.gen_prefix
        yield Question(
            item=str(document.get("id", instance.doc_id)),
            text=str(task.doc_to_text(document)),
            prompt=instance.args[0],
            answers=answers,
            right=right,
            # As the harness does it behind a chat template.
            delimiter=task.config.target_delimiter if prefix and not prefix[-1].isspace() else "",
            chosen_from=chosen_from,
        )


def _right(target: Any, options: Sequence[str]) -> tuple[int, ...]:
    """Places of the right options, as the harness reads a target: places or texts."""
    found = []
    for one in target if isinstance(target, list) else [target]:
        if isinstance(one, str) and one in options:
            found.append(options.index(one))
        elif isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(options):
            found.append(one)
    return tuple(sorted(set(found)))


def _request(lm: PrefixSharingLM, prompt: str, answer: str) -> Request:
    """The answer's tokens are those of the whole behind the longest beginning that it shares with
    the prompt's own. lm-eval moves a prompt's trailing white space into the answer first.
    """
    alone, whole = lm.tok_encode(prompt), lm.tok_encode(prompt + answer)
    if whole[: len(alone)] == alone:
        return (prompt, answer), alone, whole[len(alone) :]
    n = next(k for k, (a, b) in enumerate(zip(alone, [*whole, -1], strict=False)) if a != b)
    return (prompt, answer), whole[:n], whole[n:]


def _share(logs: Sequence[float], right: Sequence[int]) -> float:
    """Probability of the right options among all, from logarithms."""
    top = max(logs)
    if any(math.isnan(x) for x in logs) or not math.isfinite(top):
        return math.nan
    shares = [math.exp(x - top) for x in logs]
    return sum(shares[k] for k in right) / math.fsum(shares)


def _finite(value: float) -> float:
    # Neither -0.0 nor an infinity that a mean could not hold.
    return value + 0.0 if math.isfinite(value) else math.nan
