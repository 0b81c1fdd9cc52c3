"""How often a law would be found to hold, or be contradicted, if we knew how large its effects are.

Simulated estimates of the primary parts with the variances, and the correlations between parts,
that a score table shows. How estimates become a verdict is given by the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import (
    Arm,
    Contrast,
    Hypothesis,
    Law,
    Measure,
    RouterInformation,
    Target,
)
from lawcheck.declare.estimands import Pooled
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Differences, Evidence
from lawcheck.judging.stats import PermutationEstimate
from lawcheck.judging.stats.components import components, two_way_residuals
from lawcheck.judging.stats.estimate import critical_value
from lawcheck.judging.stats.two_way import POINTS

Floats = NDArray[np.float64]
FRACTIONS = (0.0, 0.5, 1.0)
DRAWS = 10_000
# Degrees of freedom that the arms' weights count for beside the S - 1 of the seeds, when parts'
# correlations are estimated: five seeds alone give a correlation an error of 0.5.
STRUCTURE_DF = 4.0
# Variance of Fisher's z of a rank correlation of n points is this / (n - 3) (Fieller et al. 1957).
RANK_VARIANCE = 1.06


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the estimates of K parts vary over studies of one size, in the parts' own units.

    n_seeds: (K,). seed_covariance: (K, K) of a single seed's values. item_covariance: (K, K) that
    fresh items give the estimates. item_spread: (K,) half the sampling variance of the estimated
    item variances. item_df: (K,) degrees of freedom of the items' term. ranks: (K,) True where a
    part is a rank correlation of n_seeds points. known_df: (K,) degrees of freedom of parts whose
    error is not the spread of n_seeds values, NaN elsewhere. exact: (K,) the value of counted
    parts, NaN elsewhere. unknown: (K,) True for parts whose variance the table does not show.
    """

    n_seeds: NDArray[np.int64]
    seed_covariance: Floats
    item_covariance: Floats
    item_spread: Floats
    item_df: Floats
    ranks: NDArray[np.bool_]
    known_df: Floats
    exact: Floats
    unknown: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Simulated statistics of the parts: arrays (n, K), parts in the order of the hypotheses.

    share: of the seeds' term in se**2, whose degrees of freedom are seed_df (K,); the rest has
    item_df (K,). Counted parts have se 0. Rank correlations are Fisher's z, which is normal
    with a known error and so has the level of the permutation test.
    """

    value: Floats
    se: Floats
    share: Floats
    seed_df: Floats
    item_df: Floats

    def bound(self, j: int, alpha: float) -> Floats:
        """(n,) half of the interval that one-sided tests of part j at alpha read."""
        critical = critical_value(alpha, self.share[:, j], self.seed_df[j], self.item_df[j])
        return critical * self.se[:, j]


# (hypotheses, draws) -> (n,) words such as "HOLDS".
Decide = Callable[[Sequence[Hypothesis], Draws], NDArray[np.str_]]


@dataclass(frozen=True, kw_only=True)
class Characteristic:
    """Shares of simulated studies with each verdict.

    fraction: the truth of every primary part, as of `truth`. outcomes: (word, share), by share.
    """

    fraction: float
    outcomes: tuple[tuple[str, float], ...]

    def share(self, outcome: str) -> float:
        return dict(self.outcomes).get(outcome, 0.0)


def truth(h: Hypothesis, fraction: float) -> float:
    """A true value that lies `fraction` of the smallest effect inside what a part claims.

    0 is the claim's edge, 1 the smallest effect of interest. Where a margin bounds the claim, 0
    is the margin and 1 no difference at all.
    """
    if h.margin is not None:
        return h.margin * (1 - fraction)
    return -h.sesoi * fraction if h.alternative == "less" else h.sesoi * fraction


def characteristics(
    law: Law,
    evidence: Evidence,
    decide: Decide,
    rng: np.random.Generator,
    fractions: Sequence[float] = FRACTIONS,
    n: int = DRAWS,
) -> tuple[Characteristic, ...]:
    """Simulated verdicts with every primary part at each fraction of its smallest effect.

    At the table's own seeds and items; `decide` is given the parts' `cases`. Checks are taken as
    passed. Equal generators give equal shares; their standard error is at most 0.5 / sqrt(n).
    Empty where some primary part has no variance to simulate with, such as with one seed.
    """
    parts = cases(law)
    found = sampling(parts, evidence)
    if found.unknown.any():
        return ()
    answers = []
    for fraction in fractions:
        draws = simulate(found, [truth(h, fraction) for h in parts], n, rng)
        words, counts = np.unique(decide(parts, draws), return_counts=True)
        shares = sorted(zip(words.tolist(), (counts / n).tolist(), strict=True), key=_by_share)
        answers.append(Characteristic(fraction=fraction, outcomes=tuple(shares)))
    return tuple(answers)


def cases(law: Law) -> list[Hypothesis]:
    """The primary parts, each split into its conjuncts, which keep the part's name."""
    return [
        dataclasses.replace(h, estimand=estimand, conjuncts=())
        for h in law.hypotheses
        if h.role == "primary"
        for estimand in ([e for _, e in h.conjuncts] or [h.estimand])
    ]


def _by_share(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]


def simulate(found: Sampling, values: Sequence[float], n: int, rng: np.random.Generator) -> Draws:
    """Statistics of n studies whose parts have these true values."""
    k = len(values)
    most = int(found.n_seeds[~found.ranks].max(initial=2))
    seeds = rng.standard_normal((n, most, k)) @ _root(found.seed_covariance)
    items = rng.standard_normal((n, k)) @ _root(found.item_covariance)
    noise = rng.standard_normal((n, k)) * np.sqrt(2 * found.item_spread)
    # A part with fewer seeds takes the first of them.
    count = np.clip(found.n_seeds, 1, most)
    used = (np.arange(most)[:, None] < count)[None]
    mean = np.where(used, seeds, 0.0).sum(axis=1) / count
    squares = np.where(used, (seeds - mean[:, None]) ** 2, 0.0).sum(axis=1)
    v_seed = squares / np.maximum(count - 1, 1) / count
    seed_df = np.maximum(count - 1.0, 1.0)
    for j in np.flatnonzero(~np.isnan(found.known_df)):
        seed_df[j] = found.known_df[j]
        spread = rng.chisquare(seed_df[j], n) / seed_df[j] if np.isfinite(seed_df[j]) else 1.0
        v_seed[:, j] = found.seed_covariance[j, j] / count[j] * spread
    v_item = np.maximum(np.diag(found.item_covariance) + noise, 0.0)
    value = np.asarray(values, dtype=np.float64) + mean + items
    for j in np.flatnonzero(found.ranks):
        points = int(found.n_seeds[j])
        sd = np.sqrt(RANK_VARIANCE / max(points - 3, 1))
        with np.errstate(divide="ignore"):
            # A correlation of 1 is infinite on this scale, and rejects in every draw.
            value[:, j] = np.arctanh(values[int(j)]) + sd * rng.standard_normal(n)
        v_seed[:, j], v_item[:, j], seed_df[j] = sd**2, 0.0, np.inf
    counted = ~np.isnan(found.exact)
    value[:, counted] = found.exact[counted]
    v_seed[:, counted] = v_item[:, counted] = 0.0
    total = v_seed + v_item
    return Draws(
        value=value,
        se=np.sqrt(total),
        share=np.divide(v_seed, total, out=np.ones_like(total), where=total > 0),
        seed_df=seed_df,
        item_df=found.item_df,
    )


def sampling(parts: Sequence[Hypothesis], evidence: Evidence) -> Sampling:
    """Variances of the parts and their covariances, from the table itself.

    Correlations between the seeds' values of parts lean on those that shared arms alone would
    give (weights of equal, independent arms). Those of items come from the items themselves.
    """
    k = len(parts)
    per_seed: list[Floats] = []
    contrasts: dict[int, Differences] = {}
    item_variance, spread, item_df = np.zeros(k), np.zeros(k), np.full(k, np.inf)
    n_seeds = np.zeros(k, dtype=np.int64)
    exact, known_df = np.full(k, np.nan), np.full(k, np.nan)
    ranks, unknown = np.zeros(k, dtype=bool), np.zeros(k, dtype=bool)
    variance = np.zeros(k)
    for j, h in enumerate(parts):
        part = evidence.for_part(h.name)
        values: Floats = np.empty(0)
        if isinstance(h.estimand, Contrast | Pooled):
            contrasts[j] = part.differences_of(h.estimand)
            found = components(contrasts[j].cubes, contrasts[j].weights, contrasts[j].clusters)
            values, n_seeds[j] = found.per_seed, found.n_seeds
            variance[j], item_variance[j] = found.seed_variance, found.item_variance
            spread[j], item_df[j] = found.item_spread, found.df_of_items
            unknown[j] = found.n_seeds < 2
        else:
            finding = estimate(h.estimand, part)
            value = finding.estimate
            values, n_seeds[j] = np.array(finding.per_seed), value.n_seeds
            if finding.exact:
                exact[j] = value.value
            elif isinstance(value, PermutationEstimate):
                ranks[j], n_seeds[j] = True, value.n_items
            else:
                variance[j] = value.seed_variance
                unknown[j] = value.single_run or not value.testable
                if value.df is not None and value.df != value.n_seeds - 1:
                    known_df[j] = value.df
        per_seed.append(values)
    sd = np.sqrt(variance)
    return Sampling(
        n_seeds=n_seeds,
        seed_covariance=_correlations(parts, per_seed) * np.outer(sd, sd),
        item_covariance=_item_covariance(contrasts, np.maximum(item_variance, 0.0)),
        item_spread=spread,
        item_df=item_df,
        ranks=ranks,
        known_df=known_df,
        exact=exact,
        unknown=unknown,
    )


def _correlations(parts: Sequence[Hypothesis], per_seed: Sequence[Floats]) -> Floats:
    """(K, K) correlation of the seeds' values between parts, leaning on the arms they share."""
    k = len(parts)
    found = np.eye(k)
    vectors = [_weights(h) for h in parts]
    for a in range(k):
        for b in range(a):
            shared = _cosine(vectors[a], vectors[b])
            x, y = per_seed[a], per_seed[b]
            df = x.size - 1.0 if x.size == y.size and x.size > 2 else 0.0
            seen = 0.0
            if df and x.std() > 0 and y.std() > 0:
                seen = float(np.corrcoef(x, y)[0, 1])
            found[a, b] = found[b, a] = (df * seen + STRUCTURE_DF * shared) / (df + STRUCTURE_DF)
    return found


# A metric, a target, an arm.
Term = tuple[str, Target, Arm]


def _weights(h: Hypothesis) -> dict[Term, float]:
    """What a part is a weighted sum of: arms on a target, or routers of arms."""
    e = h.estimand
    if isinstance(e, Contrast | Measure):
        return {(e.metric, e.target, a): w for a, w in e.weights}
    if isinstance(e, Pooled):
        size = len(e.parts)
        return {(e.metric, c.target, a): w / size for c in e.parts for a, w in c.weights}
    if isinstance(e, RouterInformation):
        return {("routing", "", a): w for a, w in e.weights}
    return {}


def _cosine(a: dict[Term, float], b: dict[Term, float]) -> float:
    size = np.sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values()))
    return sum(w * b.get(key, 0.0) for key, w in a.items()) / size if size > 0 else 0.0


def _item_covariance(contrasts: dict[int, Differences], variance: Floats) -> Floats:
    """(K, K); on the diagonal the parts' own item variances."""
    raw = np.zeros((variance.size, variance.size))
    tasks: dict[str, list[tuple[int, int]]] = {}
    for j, found in contrasts.items():
        for at, stratum in enumerate(found.strata):
            tasks.setdefault(stratum.task, []).append((j, at))
    for members in tasks.values():
        terms = [
            two_way_residuals(contrasts[j].cubes[at], contrasts[j].clusters[at])
            for j, at in members
        ]
        weights = [contrasts[j].strata[at].weight for j, at in members]
        for p, (j, _) in enumerate(members):
            for q, (other, _) in enumerate(members):
                (mean, rest), (mean_q, rest_q) = terms[p], terms[q]
                if mean.size < 2 or rest.shape != rest_q.shape or rest.shape[0] < 2:
                    continue
                s, i = rest.shape
                fresh = mean @ mean_q / (i - 1) - (rest * rest_q).sum() / (i - 1) / (s - 1) / s
                raw[j, other] += POINTS**2 * weights[p] * weights[q] * fresh / i
    sd = np.sqrt(np.clip(np.diag(raw), 0.0, None))
    scale = np.outer(sd, sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(scale > 0, raw / scale, 0.0)
    correlation = np.clip(correlation, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation * np.sqrt(np.outer(variance, variance))


def _root(covariance: Floats) -> Floats:
    """R with R' R the nearest positive semidefinite matrix that keeps the variances."""
    values, vectors = np.linalg.eigh(covariance)
    root = np.sqrt(np.clip(values, 0.0, None))[:, None] * vectors.T
    size = np.sqrt((root**2).sum(axis=0))
    wanted = np.sqrt(np.diag(covariance))
    return root * np.divide(wanted, size, out=np.zeros_like(size), where=size > 0)
