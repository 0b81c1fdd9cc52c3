"""Levels of merges and of their parents seed by seed, for figures over strategies: 8 and 10.

Both are descriptive: the strategies of one study are no sample, and share a parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.studies.merging.strategies import Strategy, domain, level, merges

Floats = NDArray[np.float64]
# Restarts of K-means; the best of them is kept, so that its result does not hang on one start.
STARTS = 20
LEAST = 4


@dataclass(frozen=True)
class Levels:
    """In points: merged, tuned (n_seeds, n_strategies), partner (n_seeds, 1)."""

    strategies: tuple[Strategy, ...]
    merged: Floats
    tuned: Floats
    partner: Floats

    @property
    def expected(self) -> Floats:
        return np.asarray((self.tuned + self.partner) / 2)

    @property
    def better(self) -> Floats:
        return np.asarray(np.maximum(self.tuned, self.partner))

    @property
    def gap(self) -> Floats:
        return np.asarray(np.abs(self.tuned - self.partner))

    def mean(self) -> Levels:
        """Over seeds."""
        means = (m.mean(axis=0, keepdims=True) for m in (self.merged, self.tuned, self.partner))
        return Levels(self.strategies, *means)

    def seeds(self) -> list[Levels]:
        """One for each seed."""
        return [
            Levels(self.strategies, m[None], t[None], p[None])
            for m, t, p in zip(self.merged, self.tuned, self.partner, strict=True)
        ]


def measured(context: RenderContext, wanted_by: str) -> Levels:
    """The reference merges that have scores, with their parents, on the seeds common to all.

    Raises InputError where fewer than 4 have.
    """
    found = tuple(
        s
        for s in merges(context, wanted_by)
        if None not in (level(context, a) for a in (s.arm, s.tuned, s.arm.parents[0]))
    )
    if len(found) < LEAST:
        raise InputError(
            f"{wanted_by}: {len(found)} merges of law {context.law.name!r} have scores with both "
            f"parents at scale {context.scale_name!r}, expected {LEAST} or more; {context.how}"
        )
    partner = found[0].arm.parents[0]
    arms = (partner, *(a for s in found for a in (s.arm, s.tuned)))
    values, _, _ = context.summary.evidence.levels(arms, domain(context.law))

    def of(chosen: Sequence[Arm]) -> Floats:
        return np.stack([values[a].mean(axis=1) for a in chosen], axis=1)

    return Levels(found, of([s.arm for s in found]), of([s.tuned for s in found]), of([partner]))


def standardised(levels: Levels) -> Floats:
    """(n_strategies, 2): expected and actual score of a mean or of one seed, SD 1."""
    points = np.stack([levels.expected[0], levels.merged[0]], axis=1)
    spread = points.std(axis=0)
    return np.asarray((points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def k_means(points: Floats, k: int = 2) -> NDArray[np.int_]:
    """Labels of the best of several K-means; cluster 0 has the lower mean of the second column."""
    from scipy.cluster.vq import kmeans2

    best: tuple[float, NDArray[np.int_]] | None = None
    for seed in range(STARTS):
        centres, labels = kmeans2(points, k, minit="++", seed=seed, missing="warn")
        inertia = float(((points - centres[labels]) ** 2).sum())
        if len(set(labels.tolist())) == k and (best is None or inertia < best[0] - 1e-12):
            best = inertia, labels
    labels = np.zeros(len(points), dtype=int) if best is None else best[1]
    order = sorted(set(labels.tolist()), key=lambda c: points[labels == c, 1].mean())
    return np.array([order.index(c) for c in labels.tolist()])


def ward(points: Floats) -> Floats:
    """SciPy's linkage matrix."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(points, method="ward"))


def ward_labels(points: Floats, k: int = 2) -> NDArray[np.int_]:
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(ward(points), k, criterion="maxclust"))


def adjusted_rand(a: Sequence[int], b: Sequence[int]) -> float:
    """Hubert and Arabie (1985): 1 for one partition, 0 on average for unrelated ones."""
    n = len(a)
    both = sum(a[i] == a[j] and b[i] == b[j] for i, j in combinations(range(n), 2))
    one, two = (sum(x[i] == x[j] for i, j in combinations(range(n), 2)) for x in (a, b))
    expected = one * two / (n * (n - 1) / 2)
    most = (one + two) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def agreement(labels: Sequence[NDArray[np.int_]]) -> tuple[float, float, float] | None:
    """Mean, lowest and highest adjusted Rand index between pairs; None for one seed."""
    pairs = [adjusted_rand(a.tolist(), b.tolist()) for a, b in combinations(labels, 2)]
    return (float(np.mean(pairs)), min(pairs), max(pairs)) if pairs else None
