"""What seeds and items tell about the variances of one contrast: its sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawcheck.errors import InputError
from lawcheck.judging.stats.two_way import (
    POINTS,
    check_cubes,
    codes_of,
    item_terms,
    weights_of,
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
    def df_of_items(self) -> float:
        """Degrees of freedom of the items' term, as `two_way` counts them."""
        items = self.weights**2 * self.item
        spread = float((items**2 / self.item_df).sum())
        return float(items.sum()) ** 2 / spread if spread > 0 else np.inf

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
    share = weights_of(weights, len(cubes))
    check_cubes(cubes)
    scored = np.all([~np.isnan(c).all(axis=1) for c in cubes], axis=0)
    if not scored.any():
        raise InputError("no seed has a scored item in every discipline")
    cubes = [c[scored] for c in cubes]
    codes = codes_of(clusters, cubes)
    terms = [item_terms(c, code) for c, code in zip(cubes, codes, strict=True)]
    item, residual, item_df = np.array(terms, dtype=np.float64).T
    n_seeds = int(scored.sum())
    return Components(
        seed_means=POINTS * np.stack([np.nanmean(c, axis=1) for c in cubes], axis=1),
        weights=share,
        item=POINTS**2 * item,
        residual=POINTS**2 * residual,
        item_df=item_df,
        # Of complete strata; gaps take a little.
        residual_df=item_df * (n_seeds - 1) if n_seeds > 1 else np.full(len(cubes), np.inf),
        n_items=np.array(
            [
                c.shape[1] if code is None else code.max() + 1
                for c, code in zip(cubes, codes, strict=True)
            ],
            dtype=np.float64,
        ),
    )


def two_way_residuals(cube: ArrayLike, labels: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Item effects (I,) and residuals (S, I) of one stratum, additive fit; cells with gaps at 0.

    labels: clusters of the items, which then take the items' place.
    """
    given = np.array(cube, dtype=np.float64, ndmin=2)
    (code,) = codes_of([labels], [given])
    units = given if code is None else _by_cluster(given, code)
    seen = ~np.isnan(units)
    centred = np.where(seen, units - np.nanmean(units, axis=1, keepdims=True), 0.0)
    item = centred.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    residual = np.where(seen, centred - item, 0.0)
    return item - item.mean(), residual


def _by_cluster(cube: Floats, code: NDArray[np.intp]) -> Floats:
    """(S, I) items to (S, C) clusters with the same mean per seed.

    Clusters differ in size, so the item mean is a ratio; each cluster enters by its linearised
    part (Miller 2024, section 2.2).
    """
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    seen = ~np.isnan(cube)
    mean = np.nanmean(cube, axis=1, keepdims=True)
    sums = np.add.reduceat(np.where(seen, cube - mean, 0.0)[:, order], starts, axis=1)
    counts = np.add.reduceat(seen[:, order], starts, axis=1, dtype=np.float64)
    scale = (counts > 0).sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
    return np.where(counts > 0, mean + scale * sums, np.nan)
