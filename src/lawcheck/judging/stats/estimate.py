"""An estimate and what may be concluded from it: tests, intervals, power, Holm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lawcheck.errors import InputError
from lawcheck.judging.stats.roots import brentq

Floats = NDArray[np.float64]
POWER = 0.8
MOST_SEEDS = 1000
# Above this the noncentral t is a normal for every purpose here, and scipy's series is slow.
LARGE_DF = 1e5
# p values are not told apart below this.
SMALLEST = 1e-300


def t_isf(alpha: ArrayLike, df: ArrayLike) -> Floats:
    """Upper quantile of t: scipy.stats says the same, and takes a second to import."""
    return np.asarray(-special.stdtrit(df, alpha))


def critical_value(
    alpha: ArrayLike, share: ArrayLike, seed_df: ArrayLike, item_df: ArrayLike
) -> Floats:
    """One-sided critical value of a mean whose squared error has two terms (Cochran and Cox 1957).

    The terms' own t quantiles, weighted by their parts of the squared error. share: of the term
    with seed_df degrees of freedom, in [0, 1]; the rest has item_df. Arrays broadcast.
    """
    share = np.asarray(share, dtype=np.float64)
    # A term without weight may have no quantile.
    seeds = np.where(share > 0, t_isf(alpha, np.maximum(seed_df, 1.0)), 0.0)
    items = np.where(share < 1, t_isf(alpha, item_df), 0.0)
    return share * seeds + (1 - share) * items


def effective_df(
    alpha: ArrayLike, share: ArrayLike, seed_df: ArrayLike, item_df: ArrayLike
) -> Floats:
    """Degrees of freedom with which t has `critical_value` at alpha: between the terms' own."""
    critical = critical_value(alpha, share, seed_df, item_df)
    low, high = np.minimum(seed_df, item_df), np.maximum(seed_df, item_df)
    found = np.clip(special.stdtridf(1 - np.asarray(alpha), critical), low, high)
    exact = np.where(np.asarray(share) >= 1, seed_df, np.where(np.asarray(share) <= 0, item_df, 0))
    return np.where(exact > 0, exact, found)


def guarded(statistic: ArrayLike, skew: ArrayLike) -> Floats:
    """A t statistic against a bound below it, allowing for the skewness of its mean; never larger.

    Hall's monotone transformation (1992, J. R. Stat. Soc. B 54, 221-228), where it lowers the
    statistic. skew: third cumulant of the mean over its standard error cubed.
    """
    t, g = np.asarray(statistic, dtype=np.float64), np.asarray(skew, dtype=np.float64)
    return np.minimum(t, t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6)


def guarded_critical(critical: float, skew: float) -> float:
    """The statistic whose `guarded` value is the critical one."""
    if skew == 0:
        return critical
    return max(critical, 3 / skew * (float(np.cbrt(1 + skew * (critical - skew / 6))) - 1))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value, its standard error and the degrees of freedom of its t distribution.

    df: effective degrees of freedom at a one-sided 5 %: t with df has the critical value that the
    test uses there. Where an item term entered they depend on the level; `df_at` gives others.
    se: None where one observation leaves nothing to estimate it from; 0 where every observation
    is the same. Neither is certainty: both give no p value and no interval.
    n_seeds: independent training runs (base models, where runs were clustered by base).
    n_clusters: independent items (equal to n_items unless items are clustered).
    n_unscored: (seed, item) cells without a value. n_dropped: seeds left out because a stratum
    had no scored item at all.
    seed_variance: variance of a single seed's contrast. item_variance: the part of se**2 that
    more seeds do not reduce, with item_df degrees of freedom; the rest of se**2 has n_seeds - 1.
    single_run: one seed; se then covers item sampling only.
    skew: of the estimate, by its items; bounds on the side that it makes too narrow are widened.
    """

    value: float
    se: float | None
    df: float | None
    n_seeds: int
    n_items: int = 0
    n_unscored: int = 0
    n_clusters: int = 0
    n_dropped: int = 0
    seed_variance: float = 0.0
    item_variance: float = 0.0
    item_df: float = math.inf
    single_run: bool = False
    skew: float = 0.0

    @property
    def testable(self) -> bool:
        """Whether there is any variation to test against."""
        return self.se is not None and self.se > 0

    def df_at(self, alpha: float) -> float | None:
        """Effective degrees of freedom at a one-sided alpha (below 0.5)."""
        if self.df is None or not self._mixed:
            return self.df
        return float(effective_df(alpha, *self._terms))

    def p_above(self, threshold: float = 0.0) -> float | None:
        """One-sided p value of "the true value exceeds `threshold`".

        It is the alpha at which `interval` ends at the threshold.
        """
        if self.se is None or self.se <= 0:
            return None
        return self._tail(self._guarded((self.value - threshold) / self.se, self.skew))

    def p_below(self, threshold: float = 0.0) -> float | None:
        """One-sided p value of "the true value is below `threshold`"."""
        if self.se is None or self.se <= 0:
            return None
        return self._tail(self._guarded((threshold - self.value) / self.se, -self.skew))

    def interval(self, alpha: float) -> tuple[float | None, float | None]:
        """Two-sided (1 - 2 alpha) interval, the one that one-sided tests at alpha read."""
        if self.se is None or self.se <= 0:
            return None, None
        if self._mixed:
            half = float(critical_value(alpha, *self._terms))
        else:
            assert self.df is not None
            half = float(t_isf(alpha, self.df))
        below, above = (guarded_critical(half, s) * self.se for s in (self.skew, -self.skew))
        return self.value - below, self.value + above

    def _guarded(self, statistic: float, skew: float) -> float:
        return float(guarded(statistic, skew)) if self.skew else statistic

    @property
    def _mixed(self) -> bool:
        """Whether seeds and items both entered the error, with degrees of freedom of their own."""
        return self.testable and self.item_variance > 0 and not self.single_run

    @property
    def _terms(self) -> tuple[float, float, float]:
        """Share of the seeds in se**2, their degrees of freedom, and those of the items."""
        assert self.se is not None
        return 1 - self.item_variance / self.se**2, self.n_seeds - 1.0, self.item_df

    def _tail(self, statistic: float) -> float:
        if not self._mixed:
            return float(special.stdtr(self.df, -statistic))
        if statistic < 0:
            return 1 - self._tail(-statistic)
        share, *dfs = self._terms
        # The level at which the statistic is critical lies between the two terms' own p values.
        least, most = sorted(float(special.stdtr(df, -statistic)) for df in dfs)

        def beyond(log_p: float) -> float:
            return float(critical_value(math.exp(log_p), share, *dfs)) - statistic

        low, high = math.log(max(least, SMALLEST)), math.log(max(most, SMALLEST))
        if beyond(low) <= 0:
            return least if least > SMALLEST else most
        if beyond(high) >= 0:
            return most
        return math.exp(brentq(beyond, low, high, xtol=1e-13))


@dataclass(frozen=True, kw_only=True)
class PermutationEstimate(Estimate):
    """An estimate whose p values come from a permutation test of "no association" (0).

    Other thresholds, an interval and a power cannot be had from it and are None.
    """

    p_greater: float
    p_less: float

    def p_above(self, threshold: float = 0.0) -> float | None:
        return self.p_greater if threshold == 0 else None

    def p_below(self, threshold: float = 0.0) -> float | None:
        return self.p_less if threshold == 0 else None


def tost(estimate: Estimate, margin: float) -> float | None:
    """p value of two one-sided tests: the true value lies strictly inside (-margin, margin)."""
    above, below = estimate.p_above(-margin), estimate.p_below(margin)
    return None if above is None or below is None else max(above, below)


def no_gain(estimate: Estimate, margin: float) -> float | None:
    """p value of "the true value is below margin" (a one-sided upper bound)."""
    return estimate.p_below(margin)


def power(
    effect: float, se: float, df: float, alpha: float = 0.05, equivalence: bool = False
) -> float:
    """Probability that a one-sided t test at alpha rejects when the truth is `effect`.

    df: effective at this alpha (`Estimate.df_at`).
    equivalence: instead, a lower bound of the power of TOST with margin `effect` at truth 0
    (both one-sided tests must reject; exact once their failures exclude each other).
    """
    if df > LARGE_DF:
        once = float(special.ndtr(special.ndtri(alpha) + effect / se))
    else:
        # The upper tail is the lower one of the mirrored t, without its cancellation.
        once = float(special.nctdtr(df, -effect / se, special.stdtrit(df, alpha)))
    return max(0.0, 2 * once - 1) if equivalence else once


def detectable_effect(
    se: float | None,
    df: float | None,
    alpha: float = 0.05,
    equivalence: bool = False,
    wanted: float = POWER,
) -> float | None:
    """Minimum detectable effect: where `power` reaches `wanted`, in the unit of se.

    For a no-gain or equivalence claim it is the smallest margin that could be shown at truth 0.
    """
    if se is None or se <= 0 or df is None:
        return None
    # At one degree of freedom and alpha 0.001 the noncentrality is below 600; 1e6 is no limit.
    root = brentq(lambda ncp: power(ncp, 1.0, df, alpha, equivalence) - wanted, 0.0, 1e6, xtol=1e-9)
    return root * se


def seeds_needed(
    seed_variance: float,
    effect: float,
    alpha: float = 0.05,
    item_variance: float = 0.0,
    item_df: float = math.inf,
    equivalence: bool = False,
    wanted: float = POWER,
    at_least: int = 2,
) -> int | None:
    """Fewest seeds (2 to 1000) with which an effect of this size is shown with power `wanted`.

    seed_variance: of one seed's contrast (a pilot SD, squared). item_variance: variance that
    stays however many seeds are run, because the items are a sample too. None: no number of
    seeds up to 1000 suffices (more items may), or there is no variance to plan with.
    """
    if effect <= 0:
        raise InputError(f"seeds_needed: effect {effect:g}, expected above 0; give the effect size")
    if seed_variance + item_variance <= 0:
        return None

    def enough(n: int) -> bool:
        from_seeds = seed_variance / n
        total = from_seeds + item_variance
        df = float(effective_df(alpha, from_seeds / total, n - 1.0, item_df))
        return power(effect, math.sqrt(total), df, alpha, equivalence) >= wanted

    low, high = max(2, at_least), MOST_SEEDS
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm-adjusted p values; None (nothing to test) stays None and is not counted.

    Equal to statsmodels' multipletests, which collects garbage on every call (0.16 s each).
    """
    given = np.array([p for p in p_values if p is not None])
    order = np.argsort(given)
    steps = np.arange(given.size, 0, -1) * given[order]
    adjusted = np.empty(given.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    rest = iter(adjusted.tolist())
    return [None if p is None else next(rest) for p in p_values]
