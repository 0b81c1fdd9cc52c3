"""What seeds and items tell about the variances of one contrast: its sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawcheck.errors import InputError
from lawcheck.judging.stats.two_way import (
    POINTS,
    _by_cluster,
    _check,
    _stratum,
    _stratum_with_gaps,
    _weights,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Components:
    """Means and mean squares of a contrast in S seeds and D strata, in points.

    seed_means: (S, D) mean over items. weights: (D,), sum 1. item: (D,) variance over items of
    the mean over seeds, divided by the number of items; its expectation is (item variance +
    residual variance / S) / items. residual: (D,) the second of these terms alone. item_df,
    residual_df: (D,). n_items: (D,) items, or clusters of items.
    """

    seed_means: Floats
    weights: Floats
    item: Floats
    residual: Floats
    item_df: Floats
    residual_df: Floats
    n_items: Floats

    @property
    def n_seeds(self) -> int:
        return int(self.seed_means.shape[0])

    @property
    def per_seed(self) -> Floats:
        """(S,) the contrast of each seed."""
        return self.seed_means @ self.weights

    @property
    def seed_variance(self) -> float:
        """Variance of a single seed's contrast on these items; 0 with one seed."""
        return float(self.per_seed.var(ddof=1)) if self.n_seeds > 1 else 0.0

    @property
    def residual_variance(self) -> float:
        """The part of `seed_variance` that more items reduce."""
        return float((self.weights**2 * self.residual).sum()) * self.n_seeds

    @property
    def item_variance(self) -> float:
        """Unguarded variance that fresh items give the estimate; may fall below 0 by chance."""
        return float((self.weights**2 * (self.item - self.residual)).sum())

    @property
    def item_spread(self) -> float:
        """Half the sampling variance of `item_variance`."""
        terms = self.item**2 / self.item_df + self.residual**2 / self.residual_df
        return float((self.weights**4 * terms).sum())


def components(
    differences: Sequence[ArrayLike],
    weights: Sequence[float] | None = None,
    clusters: Sequence[ArrayLike | None] | None = None,
) -> Components:
    """Components of a contrast; arguments, gaps and clusters as in `two_way`."""
    cubes = [np.array(d, dtype=np.float64, ndmin=2) for d in differences]
    share = _weights(weights, len(cubes))
    _check(cubes)
    scored = np.all([~np.isnan(c).all(axis=1) for c in cubes], axis=0)
    if not scored.any():
        raise InputError("no seed has a scored item in every discipline")
    labels = [None] * len(cubes) if clusters is None else list(clusters)
    cubes = [c[scored] for c in cubes]
    units = [
        c if names is None else _by_cluster(c, names)
        for c, names in zip(cubes, labels, strict=True)
    ]
    terms = [_stratum_with_gaps(u) if np.isnan(u).any() else _stratum(u) for u in units]
    item, residual, item_df, residual_df = np.array(terms, dtype=np.float64).T
    return Components(
        seed_means=POINTS * np.stack([np.nanmean(c, axis=1) for c in cubes], axis=1),
        weights=share,
        item=POINTS**2 * item,
        residual=POINTS**2 * residual,
        item_df=item_df,
        residual_df=residual_df,
        n_items=np.array([u.shape[1] for u in units], dtype=np.float64),
    )


def two_way_residuals(cube: ArrayLike, labels: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Item effects (I,) and residuals (S, I) of one stratum, additive fit; cells with gaps at 0.

    labels: clusters of the items, which then take the items' place.
    """
    given = np.array(cube, dtype=np.float64, ndmin=2)
    units = given if labels is None else _by_cluster(given, labels)
    seen = ~np.isnan(units)
    centred = np.where(seen, units - np.nanmean(units, axis=1, keepdims=True), 0.0)
    item = centred.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    residual = np.where(seen, centred - item, 0.0)
    return item - item.mean(), residual
