"""Faults in a run's answers to one task: what is unscored, and what is the same everywhere.

Shares are of the task's items. Healthy answers leave nothing behind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lawcheck.scores.health import ALMOST_ALL, HALF, ITEMS

Sample = Mapping[str, Any]


def unanswered(sample: Sample, sick: Collection[str]) -> bool:
    """Whether a question has no answer, because the model gave numbers that are not finite.

    numpy's argmax takes the first NaN for the largest number, so that such an option would count
    as chosen. sick: prompts whose next token came from logits that are not finite.
    """
    options = likelihoods(sample)
    if options is None:
        return sample["arguments"][0][0] in sick
    # One impossible option among possible ones is an answer; all of them impossible are none.
    return any(math.isnan(x) or x == math.inf for x in options) or max(options) == -math.inf


def likelihoods(sample: Sample) -> list[float] | None:
    """Log-likelihood of every option; None for generated answers."""
    first = sample["filtered_resps"][0]
    # (log-likelihood, whether it is what greedy decoding gives)
    if not (isinstance(first, tuple | list) and len(first) == 2 and isinstance(first[1], bool)):
        return None
    return [float(answer[0]) for answer in sample["filtered_resps"]]


def faults(
    samples: Sequence[Sample], sick: Collection[str], tokens: Mapping[str, int], limit: int
) -> dict[str, float]:
    """Fault -> share of the items, of the faults that are there.

    tokens: length of every generated answer; one of `limit` tokens never came to an end.
    """
    left = [s for s in samples if not unanswered(s, sick)]
    found = {}
    if len(left) < len(samples):
        found["not_finite"] = 1 - len(left) / len(samples)
    if len(left) < ITEMS:
        return found
    texts = [s["resps"][0][0] for s in left if likelihoods(s) is None]
    if texts:
        shares = {
            "empty_answers": sum(not t.strip() for t in texts) / len(texts),
            "endless_answers": sum(0 < limit <= tokens[t] for t in texts) / len(texts),
        }
        found |= {kind: share for kind, share in shares.items() if share >= HALF}
        given: list[Any] = [t.strip() for t in texts]
    else:
        given = [max(range(len(x)), key=x.__getitem__) for x in map(likelihoods, left) if x]
    share = most_common(given)
    # A task whose right answers are all alike may be answered alike.
    if share >= ALMOST_ALL > most_common([str(s["target"]) for s in left]):
        found["one_answer"] = share
    return found


def most_common(values: Sequence[Any]) -> float:
    """Share of the most frequent value."""
    return Counter(values).most_common(1)[0][1] / len(values)
