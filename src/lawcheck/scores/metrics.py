"""Metrics that describe a run, among those that score items, and what they say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.metrics import ARC, ITEM_METRICS, LIKELIHOODS, WEIGHT

ROUTING, DIVERGED = "routing_probability", "diverged"
# Of a run's training mixture: share of distinct n-grams among all, and how many distinct ones.
DISTINCT, COUNT = "distinct_ngrams", "distinct_count"
# Like WEIGHT of mixtures whose shares may move; the loss of item 0 is that before training, in nats
# per response token.
LOSS = "domain_loss"
# Likewise: the share of a domain's loss that can still be learned, by phase.
POTENTIAL = "potential"
# Rows of a domain over all phases, and how many of them differ.
DRAWN, DIFFERENT = "rows_drawn", "distinct_rows"
# Of base models: the share of a domain in their texts, by iteration of detection; the distance
# of the mean shares from those of pretraining; and the SD over iterations of the largest domain's.
DETECTED, VARIATION, UNSTABLE = "detected_share", "total_variation", "detected_deviation"
# The share of a domain in the texts that a base model made here was pretrained on.
PRETRAINED = "pretraining_share"
# Of a run whose mixture was compared with what its base knows: KL of the two, in nats.
DIVERGENCE = "divergence"
# Of a merge: cosine of the angle between its parents, an item a tensor.
COSINE = "tensor_cosine"
# Rows of a task that a run's selection kept. Of a selector, the place in its tasks of the one that
# it named for an item: UNREADABLE where it named no domain and task, UNKNOWN where there is no such
# task.
ROWS_SELECTED, CHOSEN = "rows_selected", "chosen_task"
# Of rows that a selection clusters, by id: two coordinates, and whether it kept the row.
ROW_X, ROW_Y, ROW_KEPT = "row_x", "row_y", "row_kept"
# What scoring found wrong with a run's answers; its rows exist only where something was found.
FAULT = "fault"
# Every other metric scores items; likelihoods are of items too, beside their score.
MEASUREMENTS = LIKELIHOODS | {
    *(ROUTING, DIVERGED, DISTINCT, COUNT, WEIGHT, LOSS, DIVERGENCE, COSINE, ARC, FAULT)
}
MEASUREMENTS |= {
    ROWS_SELECTED,
    CHOSEN,
    ROW_X,
    ROW_Y,
    ROW_KEPT,
    POTENTIAL,
    DRAWN,
    DIFFERENT,
    DETECTED,
    PRETRAINED,
    VARIATION,
    UNSTABLE,
}
# All others lie in [0, 1]; those of SIGNED may lie below 0 too.
UNBOUNDED = frozenset(
    {ROWS_SELECTED, ROW_X, ROW_Y, CHOSEN, LOSS, COUNT, DRAWN, DIFFERENT, DIVERGENCE}
) | {m for m in LIKELIHOODS if ITEM_METRICS[m].high > 1}
SIGNED = frozenset({COSINE, CHOSEN, ROW_X, ROW_Y}) | {
    m for m in LIKELIHOODS if ITEM_METRICS[m].low < 0
}
# Of each arm and seed: task, item and value of the rows that say what is wrong with its runs.
Faults = dict[tuple[str, int], tuple[tuple[str, str, float], ...]]

# Columns of the rows of DIVERGED and of FAULT, as the functions below take them.
LOST_RUN = ("arm", "seed", "run_id")
FAULTY_ITEM = ("arm", "task", "item_id", "seed", "value")


def diverged_runs(rows: Iterable[tuple[str, int, str]]) -> dict[tuple[str, int], int]:
    """How many runs of each arm and seed are named by rows of arm, seed and run id."""
    return dict(Counter((arm, seed) for arm, seed, _ in sorted(set(rows))))


def faults_by_run(rows: Iterable[tuple[str, str, str, int, float]]) -> Faults:
    """Rows of arm, task, item, seed and value, sorted."""
    found: dict[tuple[str, int], list[tuple[str, str, float]]] = {}
    for arm, task, item, seed, value in rows:
        found.setdefault((arm, seed), []).append((task, item, value))
    return {run: tuple(sorted(entries)) for run, entries in sorted(found.items())}


def bounds(metrics: Iterable[str]) -> NDArray[np.float64]:
    """(2, n) least and largest value of each metric; the largest finite ones where there is none.

    NaN lies within them: it stands for unscored.
    """
    most = float(np.finfo(np.float64).max)
    low = dict.fromkeys(SIGNED, -most) | {COSINE: -1.0}
    high = dict.fromkeys(UNBOUNDED, most)
    pairs = [(low.get(m, 0.0), high.get(m, 1.0)) for m in metrics]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2).T
