"""How probable each region of a contrast is, given the data: printed beside a test, never deciding.

Model: x[s, d, i] = mu[d] + a[s, d] + g[d, i] + e[s, d, i], all effects normal. The seed effects
a[s, :] of the disciplines correlate in any way; items g and residuals e have variances of their
own in every discipline. The value is the weighted mean of mu, which has a flat prior. Every
expected mean square E has the prior 1 / E; an item variance is at least 0 (Box and Tiao 1973,
Bayesian Inference in Statistical Analysis, chapter 5). Where items add nothing, the posterior of
the value is the t distribution of the test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lawcheck.judging.stats.components import Components
from lawcheck.judging.stats.estimate import Estimate

Floats = NDArray[np.float64]
DRAWS = 20_000
# From here on the cube root of a chi-square is normal for every purpose here.
LARGE_DF = 100.0


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Where a value is of interest and where it is reversed; what lies between is negligible.

    Both in the unit of the value: of_interest and reversed are unions of open intervals.
    """

    of_interest: tuple[tuple[float, float], ...]
    reversed: tuple[tuple[float, float], ...]


def regions(alternative: str, sesoi: float, margin: float | None = None) -> Regions | None:
    """Regions of an alternative; None for counted parts.

    greater: of interest from sesoi, reversed below 0; less mirrors it. no_gain: of interest (as
    claimed) below the margin, reversed above it; equivalent: inside the margins, and outside
    them. Neither of these two has a negligible region.
    """
    top = math.inf
    if alternative == "greater":
        return Regions(of_interest=((sesoi, top),), reversed=((-top, 0.0),))
    if alternative == "less":
        return Regions(of_interest=((-top, -sesoi),), reversed=((0.0, top),))
    if alternative == "no_gain" and margin is not None:
        return Regions(of_interest=((-top, margin),), reversed=((margin, top),))
    if alternative == "equivalent" and margin is not None:
        outside = ((-top, -margin), (margin, top))
        return Regions(of_interest=((-margin, margin),), reversed=outside)
    return None


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Probabilities of the three regions; they sum to 1."""

    reversed: float
    negligible: float
    of_interest: float


def posterior(
    data: Components, where: Regions, rng: np.random.Generator, draws: int = DRAWS
) -> Posterior | None:
    """Posterior of a contrast over its regions; None with one seed, or without any variation.

    Variances are drawn by weighted Monte Carlo; given them the value is normal, so that
    probabilities are averages of normal ones and carry little simulation error.
    """
    sd, weight = _standard_deviations(data, rng, draws)
    if sd is None:
        return None
    value = float(data.per_seed.mean())

    def inside(intervals: tuple[tuple[float, float], ...]) -> float:
        total = sum(
            special.ndtr((high - value) / sd) - special.ndtr((low - value) / sd)
            for low, high in intervals
        )
        return float(weight @ total)

    return _posterior(inside(where.reversed), inside(where.of_interest))


def posterior_of_t(estimate: Estimate, where: Regions) -> Posterior | None:
    """The same from value, error and degrees of freedom alone, for estimands without items."""
    se = estimate.se
    if se is None or se <= 0 or estimate.single_run:
        return None

    def inside(intervals: tuple[tuple[float, float], ...]) -> float:
        scaled = [[(x - estimate.value) / se for x in pair] for pair in intervals]
        return float(sum(np.diff(special.stdtr(estimate.df, pair))[0] for pair in scaled))

    return _posterior(inside(where.reversed), inside(where.of_interest))


def _posterior(against: float, toward: float) -> Posterior:
    return Posterior(
        reversed=against, negligible=max(0.0, 1.0 - against - toward), of_interest=toward
    )


def _standard_deviations(
    data: Components, rng: np.random.Generator, draws: int
) -> tuple[Floats | None, Floats]:
    """(draws,) posterior SD of the value given the variances, and the draws' weights, sum 1."""
    s, d = data.seed_means.shape
    log_weight = np.zeros(draws)
    if s < 2:
        return None, log_weight
    # Every number is drawn whatever the data are, so that equal generators give equal results.
    uniform = rng.random((2 * d + 1, draws))
    variance, _ = _mean_square(data.seed_variance / s, s - 1.0, 0.0, uniform[-1])
    for k in np.flatnonzero(np.isfinite(data.item_df)):
        residual, _ = _mean_square(data.residual[k], data.residual_df[k], 0.0, uniform[2 * k])
        item, log_mass = _mean_square(data.item[k], data.item_df[k], residual, uniform[2 * k + 1])
        variance = variance + data.weights[k] ** 2 * (item - residual)
        log_weight += log_mass
    if not (variance > 0).all():
        return None, log_weight
    weight = np.exp(log_weight - log_weight.max())
    return np.sqrt(variance), weight / weight.sum()


def _mean_square(seen: float, df: float, floor: Floats | float, u: Floats) -> tuple[Floats, Floats]:
    """Draws of an expected mean square above `floor`, and the log probability of that range.

    Posterior without the floor: seen x df over a chi-square of df degrees of freedom.
    """
    low = np.broadcast_to(np.asarray(floor, dtype=np.float64), u.shape)
    if seen <= 0 or not math.isfinite(df):
        return np.maximum(seen, low), np.zeros(u.shape)
    with np.errstate(divide="ignore"):
        limit = df * seen / low
    mass = np.maximum(_chi2_cdf(limit, df), np.finfo(float).tiny)
    drawn = np.minimum(_chi2_quantile(u * mass, df), limit)
    return df * seen / np.maximum(drawn, np.finfo(float).tiny), np.log(mass)


def _chi2_cdf(x: Floats, df: float) -> Floats:
    if df < LARGE_DF:
        return special.gammainc(df / 2, x / 2)
    return special.ndtr((np.cbrt(x / df) - 1 + 2 / (9 * df)) / math.sqrt(2 / (9 * df)))


def _chi2_quantile(p: Floats, df: float) -> Floats:
    """Wilson and Hilferty 1931 for large df: off by less than 1e-4 of the SD, and quick."""
    if df < LARGE_DF:
        return 2 * special.gammaincinv(df / 2, p)
    return df * (1 - 2 / (9 * df) + special.ndtri(p) * math.sqrt(2 / (9 * df))) ** 3
