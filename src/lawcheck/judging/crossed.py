"""Variance of a contrast by base model and by training seed, where a scale crosses the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Contrast, Law
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.reading import read_scores
from lawcheck.judging.stats.components import components
from lawcheck.judging.targets import targets_of
from lawcheck.scores import ScoreTable


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Components of one run's contrast, in the square of its unit; unbiased, below 0 by chance.

    base: between base models. training: between training seeds, alike on every base. run: what is
    left, of one run on one base. items: of the sampling of items, which more of them reduce.
    """

    name: str
    bases: int
    seeds: int
    mean: float
    base: float
    training: float
    run: float
    items: float


def decomposed(table: NDArray[np.float64]) -> tuple[float, float, float]:
    """base, training and residual variance of one value a cell; table: (n_bases, n_seeds).

    Moments of the two-way random model without replication (Searle, Casella, McCulloch 1992, 4.5).
    """
    b, k = table.shape
    if b < 2 or k < 2:
        raise InputError(
            f"variance: {b} base models x {k} training seeds, expected 2 x 2 or more; run more"
        )
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    left = table - rows[:, None] - columns[None, :] + mean
    residual = float((left**2).sum()) / ((b - 1) * (k - 1))
    base = (k * float(rows.var(ddof=1)) - residual) / k
    training = (b * float(columns.var(ddof=1)) - residual) / b
    return base, training, residual


def crossed(law: Law, scores: ScoreTable, per_base: int) -> list[Crossed]:
    """One entry for each part that is a contrast of item scores. Raises InputError for seeds that
    do not fill the table, and for a law without such parts.
    """
    parts = [h for h in law.hypotheses if isinstance(h.estimand, Contrast | Pooled)]
    if not parts:
        raise InputError(f"variance: law {law.name!r} has no contrast of item scores")
    there = [a for h in parts for a in h.estimand.arms if a.name in scores.arms]
    targets = targets_of(law, scores, there, None)
    evidence = Evidence(
        scores=scores,
        places=targets.places,
        groups=targets.groups,
        whole=bool(law.averaged),
        law=law.name,
    )
    found = []
    for h in parts:
        assert isinstance(h.estimand, Contrast | Pooled)
        part = evidence.for_part(h.name)
        data = part.differences_of(h.estimand)
        of = components(data.cubes, data.weights, data.clusters)
        seeds = scores.seeds(h.estimand.arms[0].name, data.strata[0].task)
        if of.n_seeds % per_base or list(seeds) != list(range(of.n_seeds)):
            raise InputError(
                f"{part.what}: seeds {', '.join(map(str, seeds))}, expected all from 0 in groups "
                f"of {per_base}, one base model each; run the others"
            )
        base, training, residual = decomposed(of.per_seed.reshape(-1, per_base))
        found.append(
            Crossed(
                name=h.name,
                bases=of.n_seeds // per_base,
                seeds=per_base,
                mean=float(of.per_seed.mean()),
                base=base,
                training=training,
                run=residual - of.residual_variance,
                items=of.residual_variance,
            )
        )
    return found


def crossed_file(law: Law, scale: Scale, scores: Sequence[str | Path]) -> list[Crossed]:
    """`crossed` of score files. Raises InputError for a scale that crosses nothing."""
    if scale.seeds_per_base == 1:
        raise InputError(
            f"scale {scale.name!r}: one training seed a base model, so the two cannot be told "
            f"apart; set 'seeds_per_base', as in proxy2_crossed"
        )
    return crossed(law, read_scores(scores)[0], scale.seeds_per_base)
