"""Router information, variability, rank association and the summaries that pictures show."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lawcheck.errors import InputError
from lawcheck.judging.stats.estimate import Estimate, PermutationEstimate
from lawcheck.judging.stats.two_way import ROUNDING

Floats = NDArray[np.float64]
# Leaving one seed out must leave a variance.
FEWEST = 3


def router_information(routing: ArrayLike) -> float:
    """Mutual information (discipline; expert) of one run, as a share of its maximum, in [0, 1].

    routing: (n_disciplines, n_experts) mean routing probabilities. Rows are scaled to sum to 1
    and weigh equally. Maximum: log min(n_disciplines, n_experts). Never average routing over
    runs first: expert labels permute between seeds.
    """
    given = _routing(routing)
    total = _entropy(given.mean(axis=0)) - _entropy(given).mean()
    return float(np.clip(total / math.log(min(given.shape)), 0.0, 1.0))


def router_entropy(routing: ArrayLike) -> float:
    """Conditional entropy H(expert | discipline) / log n_experts of one run, in [0, 1].

    Low values alone are not specialisation: a router collapsed onto one expert has them too.
    """
    given = _routing(routing)
    return float(np.clip(_entropy(given).mean() / math.log(given.shape[1]), 0.0, 1.0))


def _routing(routing: ArrayLike) -> Floats:
    given = np.asarray(routing, dtype=np.float64)
    if given.ndim != 2 or min(given.shape) < 2:
        raise InputError(
            f"routing matrix of shape {given.shape}: expected at least 2 disciplines x 2 experts"
        )
    sums = given.sum(axis=1, keepdims=True)
    if not np.isfinite(given).all() or (given < 0).any() or (sums <= 0).any():
        raise InputError("routing matrix: expected finite, non-negative rows that are not all 0")
    return given / sums


def _entropy(p: Floats) -> Floats:
    return special.entr(p).sum(axis=-1)


def log_variance_ratio(multi: ArrayLike, single: ArrayLike, correlation: float = 0.25) -> Estimate:
    """Mean over disciplines of log(seed variance, multi / single), with standard error.

    multi: (n_seeds, n_disciplines), or (n_arms, n_seeds, n_disciplines) whose logs are
    averaged; single: likewise. A log variance of S normal values has variance
    trigamma((S - 1) / 2); arms are not counted as independent. correlation: allowance for
    dependence of the disciplines' log ratios (seed effects common to disciplines with
    correlation r give about r**2). The error is never less than the observed spread between
    disciplines implies. t with n_disciplines - 1 degrees of freedom where that spread decides,
    else normal: the log ratio of two equal-df variances is symmetric.

    Disciplines with a zero variance have no log; they are left out and counted as unscored.
    """
    top, bottom = _log_variance(multi), _log_variance(single)
    n_seeds = min(np.shape(multi)[-2], np.shape(single)[-2])
    with np.errstate(invalid="ignore"):
        # Neither side varies.
        ratio = top - bottom
    kept = ratio[np.isfinite(ratio)]
    if kept.size == 0:
        raise InputError("variance ratio: no discipline varies over seeds; nothing to compare")
    n = kept.size
    model = 2 * float(special.polygamma(1, (n_seeds - 1) / 2)) * (1 + (n - 1) * correlation) / n
    seen = float(kept.var(ddof=1)) / n if n > 1 else 0.0
    return Estimate(
        value=float(kept.mean()),
        se=math.sqrt(max(model, seen)),
        df=float(n - 1) if seen > model else math.inf,
        n_seeds=n_seeds,
        n_unscored=int(ratio.size - n),
        seed_variance=max(model, seen) * n_seeds,
    )


def _log_variance(values: ArrayLike) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (2, 3) or given.shape[-2] < 2:
        raise InputError(
            f"variance ratio: shape {given.shape}, expected ([arms,] seeds >= 2, disciplines)"
        )
    with np.errstate(divide="ignore"):
        logs = np.log(above_rounding(given.var(axis=-2, ddof=1), given))
    return logs.mean(axis=0) if given.ndim == 3 else logs


def above_rounding(variances: ArrayLike, values: ArrayLike) -> Floats:
    """Variances of the values, 0 where they are what equal values differ by after rounding."""
    given = np.asarray(variances, dtype=np.float64)
    return np.where(given > ROUNDING * np.abs(values).max() ** 2, given, 0.0)


def run_variance(values: ArrayLike, noise: ArrayLike) -> Floats:
    """Run-to-run variance of one arm or curve: of all seeds, then without each seed in turn.

    values: (n_seeds, ...) means over items; their variance over seeds is averaged over the other
    axes, so what all seeds share is no part of it. noise: (...), what the sampling of items adds
    to that variance; it is subtracted. Returns (1 + n_seeds,); negative where the seeds differ less
    than their items explain.
    """
    given = np.asarray(values, dtype=np.float64)
    n = given.shape[0]
    if n < FEWEST:
        raise InputError(f"run-to-run variance: {n} seeds; its error needs {FEWEST} or more")
    kept = [given, *(np.delete(given, k, axis=0) for k in range(n))]
    seen = np.array([v.var(axis=0, ddof=1).mean() for v in kept])
    return above_rounding(seen, given) - np.asarray(noise, dtype=np.float64).mean()


def log_ratio(treatments: ArrayLike, controls: ArrayLike, power: float = 1.0) -> Estimate:
    """Log ratio of run-to-run variances, times `power`, with its jackknife error over seeds.

    treatments, controls: (n_arms, 1 + n_seeds) from `run_variance`, all above 0. Logarithms are
    averaged over the arms of a side, so that sides of unequal numbers of arms carry one bias. A
    seed is left out of every arm and discipline at once: their correlations need no model. t with
    half as many degrees of freedom as seeds, from 2 to 4: heavy tails make the jackknife's own
    error noisier than that of a normal sample (benchmarks/calibration.py has the levels).
    """
    top, bottom = (np.asarray(side, dtype=np.float64) for side in (treatments, controls))
    logs = power * (np.log(top).mean(axis=0) - np.log(bottom).mean(axis=0))
    n = logs.size - 1
    without = logs[1:]
    variance = (n - 1) / n * float(((without - without.mean()) ** 2).sum())
    se = math.sqrt(variance) if variance > 1e-20 else 0.0
    return Estimate(
        value=float(logs[0]),
        se=se,
        df=float(min(max(n / 2, 2.0), 4.0)),
        n_seeds=n,
        seed_variance=se**2 * n,
    )


def off_line(fractions: ArrayLike) -> Floats:
    """(n_fractions - 2, n_fractions) contrasts of what no line in log(data fraction) fits.

    Orthonormal rows: the mean of their squared values is the residual variance of `roughness`.
    """
    x = np.log(np.asarray(fractions, dtype=np.float64))
    basis, _ = np.linalg.qr(np.stack([np.ones(x.size), x], axis=1), mode="complete")
    return np.asarray(basis[:, 2:].T)


def roughness(fractions: ArrayLike, values: ArrayLike) -> Floats:
    """Residual SD around a line in log(data fraction), two fitted parameters.

    fractions: (n_fractions,), at least 3. values: (..., n_fractions). Returns (...).
    """
    x = np.log(np.asarray(fractions, dtype=np.float64))
    y = np.asarray(values, dtype=np.float64)
    if x.size < 3 or y.shape[-1] != x.size:
        raise InputError(f"roughness: {x.size} fractions, values {y.shape}; needs 3 or more")
    x = x - x.mean()
    slope = (y @ x) / (x @ x)
    residual = y - y.mean(axis=-1, keepdims=True) - slope[..., None] * x
    return np.sqrt((residual**2).sum(axis=-1) / (x.size - 2))


def spearman(
    x: ArrayLike, y: ArrayLike, rng: np.random.Generator, n_resamples: int = 9999
) -> PermutationEstimate:
    """Mean over methods of the rank correlation of x and y over design points, in [-1, 1].

    x: (n_points,), one value per mixture, or (n_methods, n_points). y: (n_methods, n_points). The
    unit is the design point: the mixtures' labels are permuted jointly in all methods, because the
    mixtures are shared. Every permutation is taken where they are at most n_resamples.
    """
    from scipy import stats  # takes a second, which other estimands do without

    points = np.asarray(x, dtype=np.float64)
    ranks = stats.rankdata(np.atleast_2d(np.asarray(y, dtype=np.float64)), axis=-1)
    n = points.shape[-1] if points.ndim else 0
    if points.shape not in ((n,), ranks.shape) or n < 3 or ranks.shape[1] != n:
        raise InputError(
            f"rank correlation: {points.shape} points, {ranks.shape} scores; needs 3 or more points"
        )
    if np.isnan(points).any() or np.isnan(ranks).any():
        raise InputError("rank correlation: NaN has no rank; give finite numbers")
    spread = ranks.std(axis=1, keepdims=True)
    if (np.ptp(points, axis=-1) == 0).any() or (spread == 0).any():
        raise InputError("rank correlation: a constant has no ranks; nothing to correlate")
    toward = (ranks - ranks.mean(axis=1, keepdims=True)) / spread
    order = stats.rankdata(points, axis=-1)
    order = (order - order.mean(axis=-1, keepdims=True)) / order.std(axis=-1, keepdims=True)
    toward = toward.mean(axis=0) / n if points.ndim == 1 else toward / len(ranks) / n

    def correlation(sample: NDArray[np.intp], axis: int = -1) -> Floats:
        permuted = np.moveaxis(sample, axis, -1)
        if order.ndim == 1:
            return np.asarray(order[permuted] @ toward)
        return np.asarray(sum(x[permuted] @ y for x, y in zip(order, toward, strict=True)))

    # Permuting one sample against a fixed other one is what scipy calls pairings.
    p = {
        side: stats.permutation_test(
            (np.arange(n),),
            correlation,
            permutation_type="pairings",
            vectorized=True,
            n_resamples=n_resamples,
            alternative=side,
            rng=rng,
        ).pvalue
        for side in ("greater", "less")
    }
    return PermutationEstimate(
        value=float(correlation(np.arange(n))),
        se=None,
        df=None,
        n_seeds=0,
        n_items=n,
        n_clusters=n,
        p_greater=float(p["greater"]),
        p_less=float(p["less"]),
    )


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores (runs x tasks), robust and nearly efficient."""
    from scipy import stats

    return float(stats.trim_mean(np.asarray(scores, dtype=np.float64), 0.25, axis=None))


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of scores (runs x tasks) above each threshold; returns (n_thresholds,)."""
    flat = np.asarray(scores, dtype=np.float64).ravel()
    return (flat[:, None] > np.asarray(thresholds, dtype=np.float64)).mean(axis=0)
