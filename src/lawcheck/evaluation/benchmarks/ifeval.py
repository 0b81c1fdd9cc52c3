"""IFEval in lm-eval's own command line, where two of its checks may lack NLTK's punkt model.

Named by task files with `!function`. A prompt with such a check is then unscored (NaN) for every
model, never wrong, and the means are those of the scored prompts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lawcheck.corpus.real.harness import own_definition, steady_score


def process_results(document: dict[str, Any], results: list[str]) -> dict[str, Any]:
    return _scorer()(document, results)


def scored_mean(values: Sequence[float]) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    seen = [value for value in values if not math.isnan(value)]
    return sum(seen) / len(seen) if seen else math.nan


def scored_mean_of_lists(values: Iterable[Sequence[float]]) -> float:
    return scored_mean([value for inner in values for value in inner])


@functools.cache
def _scorer() -> Callable[..., dict[str, Any]]:
    return steady_score(own_definition("ifeval")["process_results"])
