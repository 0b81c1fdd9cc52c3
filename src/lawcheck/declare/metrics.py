"""Numbers that an item of a run may have: whether its answer is right, and how likely it is."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ItemMetric:
    """unit: of contrasts. lower: whether less is better. low, high: of one item's value."""

    unit: str
    lower: bool = False
    low: float = 0.0
    high: float = 1.0


# Whatever metric scores a task's items; in points, 100 x its value.
ACCURACY = "accuracy"
BITS, PROBABILITY, NORMALISED = "bits_per_byte", "p_correct", "p_correct_per_byte"
INFORMATION = "information"
# docs/likelihood.md says how each is computed.
ITEM_METRICS = {
    ACCURACY: ItemMetric("points"),
    BITS: ItemMetric("bits per byte", lower=True, high=math.inf),
    PROBABILITY: ItemMetric("probability"),
    NORMALISED: ItemMetric("probability"),
    INFORMATION: ItemMetric("bits", low=-math.inf, high=math.inf),
}
# Of a selector's reply, in place of the task that it names: it names no domain and task; no task is
# called so.
UNREADABLE, UNKNOWN = -1, -2
LIKELIHOODS = frozenset(ITEM_METRICS) - {ACCURACY}
# Measured of a run, not of items, and read by laws. Of mixtures whose shares may move: task is a
# domain, item a phase from 1. Of a merge: the share of tensors that lie on the arc between its
# parents, not on the line.
WEIGHT, ARC = "mixture_weight", "arc_share"


def unbounded(metric: str) -> bool:
    """Whether one item may move a mean without limit."""
    of = ITEM_METRICS[metric]
    return math.isinf(of.low) or math.isinf(of.high)
