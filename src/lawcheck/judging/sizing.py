"""How much is enough: seeds x items that would show a part's smallest effect of interest.

More seeds shrink what training runs add to the error, more items what questions add; neither
replaces the other, so an answer is a pair. Variances of a few seeds are moderated: each leans on
those of the law's other parts of its kind (empirical Bayes, Smyth 2004).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from lawcheck.declare.design import Contrast, Hypothesis
from lawcheck.declare.estimands import Pooled
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.stats import Estimate, PermutationEstimate, power
from lawcheck.judging.stats.components import Components, components
from lawcheck.judging.stats.estimate import LARGE_DF, MOST_SEEDS, POWER, effective_df

# Degrees of freedom that the other parts' variances count for. Parts differ in truth by factors
# around three, which is what a variance of so few degrees of freedom says by itself.
PRIOR_DF = 4.0
# Two-sided level of the range of seeds.
RANGE = 0.8
# The first pair leaves items a fifth of the error, the second lets them have two thirds.
FEW_SEEDS, FEW_ITEMS = 1.25, 3
LEAST_ITEMS, MOST_ITEMS = 100, 10_000_000


@dataclass(frozen=True, kw_only=True)
class Variance:
    """What a part's error is made of, in its unit squared, for n seeds and m items:

    (runs + residual / m) / n + items / m.

    df: degrees of freedom behind the seeds' terms. n_seeds, n_items: of the table it comes from;
    n_items 0: items do not enter. strata: groups of items that share their number.
    """

    runs: float
    residual: float
    items: float
    df: float
    n_seeds: int
    n_items: int
    strata: int = 1

    def scaled(self, quantile: float) -> Variance:
        """With the seeds' variance at this quantile of what its degrees of freedom leave open."""
        seeds = self.runs + (self.residual / self.n_items if self.n_items else 0.0)
        factor = self.df / float(special.chdtri(self.df, quantile))
        return dataclasses.replace(self, runs=max(self.runs + (factor - 1) * seeds, 0.0))


@dataclass(frozen=True)
class Design:
    """A study size. items: over all disciplines, in proportion; None where items do not enter."""

    seeds: int
    items: int | None


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Designs with 80 % power for a part's goal, the one of fewer seeds first.

    fewest, most: seeds of the first design, if the seeds' variance is at either end of the 80 %
    range that the table leaves; most is None where that is above 1000. power: at the table's own
    size, with the same variances.
    """

    designs: tuple[Design, ...]
    fewest: int
    most: int | None
    power: float

    @property
    def text(self) -> str:
        """`5 seeds x 1,900 items, or 14 x 600`."""
        first, *rest = self.designs
        if first.items is None:
            return f"{first.seeds} seeds"
        others = [f", or {d.seeds} x {d.items:,}" for d in rest]
        return f"{first.seeds} seeds x {first.items:,} items" + "".join(others)


def measured(h: Hypothesis, evidence: Evidence) -> Components | Estimate | None:
    """What `variances` takes of one part; None for counted parts. Raises as its estimator does."""
    if isinstance(h.estimand, Contrast | Pooled):
        found = evidence.differences_of(h.estimand)
        with evidence.named():
            return components(found.cubes, found.weights, found.clusters)
    finding = estimate(h.estimand, evidence)
    return None if finding.exact else finding.estimate


def variances(
    parts: Sequence[tuple[Hypothesis, Components | Estimate]],
) -> Mapping[str, Variance]:
    """Moderated variances by part name; parts without any variance to plan with are left out.

    parts: each with what `measured` found of it. Parts of one kind of estimand (for contrasts: of
    one metric, of the average or of one discipline) lean on one another.
    """
    families: dict[tuple[str, bool, str], list[tuple[Hypothesis, Components | Estimate]]] = {}
    for h, data in parts:
        if _plannable(data):
            e = h.estimand
            kind = (type(e).__name__, e.averages, getattr(e, "metric", ""))
            families.setdefault(kind, []).append((h, data))
    found: dict[str, Variance] = {}
    for members in families.values():
        # Contrasts of more arms vary less; per unit of squared weight they are alike.
        size = np.array([_squares(h) for h, _ in members])
        df = np.array([d.n_seeds - 1.0 for _, d in members])
        seeds, behind = _moderated(np.array([d.seed_variance for _, d in members]) / size, df)
        items = size * _pooled(members, size)
        for k, (h, data) in enumerate(members):
            seed_variance = float(seeds[k] * size[k])
            if isinstance(data, Components):
                m = int(data.n_items.sum())
                found[h.name] = Variance(
                    runs=max(seed_variance - data.residual_variance, 0.0),
                    residual=data.residual_variance * m,
                    items=float(items[k]),
                    df=float(behind[k]),
                    n_seeds=data.n_seeds,
                    n_items=m,
                    strata=data.weights.size,
                )
            else:
                found[h.name] = Variance(
                    runs=seed_variance,
                    residual=0.0,
                    items=0.0,
                    df=float(behind[k]),
                    n_seeds=data.n_seeds,
                    n_items=0,
                )
    return found


def sizing(h: Hypothesis, variance: Variance, alpha: float | None = None) -> Sizing | None:
    """Study sizes for one part; None where up to 1000 seeds and 10 million items would not do.

    alpha: of each look; default the hypothesis's.
    """
    level = h.alpha if alpha is None else alpha
    first = _first(h, variance, level)
    if first is None or h.goal <= 0:
        return None
    seeds, fewest_seeds = first
    if variance.n_items == 0:
        designs = [Design(seeds, None)]
    else:
        more = max(seeds + 2, FEW_ITEMS * fewest_seeds)
        sizes = {n: _items(h, variance, n, level) for n in (seeds, more)}
        designs = [Design(n, _readable(m)) for n, m in sizes.items() if m is not None]
        if len(designs) == 2 and designs[1].items == designs[0].items:
            designs.pop()
    if not designs:
        return None
    low, high = (_first(h, variance.scaled(q), level) for q in ((1 - RANGE) / 2, (1 + RANGE) / 2))
    return Sizing(
        designs=tuple(designs),
        fewest=seeds if low is None else low[0],
        most=None if high is None else high[0],
        power=_power(h, variance, variance.n_seeds, variance.n_items or math.inf, level),
    )


def together(parts: Sequence[tuple[Hypothesis, Variance]]) -> tuple[Design, ...]:
    """Designs with which all parts are shown at once with 80 % power, fewer seeds first.

    With k parts each at 1 - 0.2 / k the chance that any fails is at most 20 %, however they depend
    on one another. items: of one task, since parts differ in the tasks they read; None where no
    part has items. Empty where some part asks for more than there can be.
    """
    wanted = 1 - (1 - POWER) / max(1, len(parts))
    sizes = [_first(h, v, h.alpha, wanted) for h, v in parts]
    if not parts or None in sizes:
        return ()
    known = [s for s in sizes if s is not None]
    few = max(first for first, _ in known)
    counts = {few}
    if any(v.n_items for _, v in parts):
        counts.add(max(few + 2, FEW_ITEMS * max(fewest for _, fewest in known)))
    designs = []
    for n in sorted(counts):
        needed = [(_items(h, v, n, h.alpha, wanted), v.strata) for h, v in parts if v.n_items]
        if any(m is None for m, _ in needed):
            continue
        most = max((math.ceil(m / k) for m, k in needed if m is not None), default=0)
        designs.append(Design(n, _readable(most) if most else None))
    return tuple(designs)


def _plannable(data: Components | Estimate) -> bool:
    if data.n_seeds < 2 or isinstance(data, PermutationEstimate):
        return False
    return data.seed_variance > 0


def _squares(h: Hypothesis) -> float:
    return sum(w * w for _, w in getattr(h.estimand, "weights", ())) or 1.0


def _moderated(seen: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances drawn towards their common level, and the degrees of freedom then behind them.

    The level is the one at which log variances of so few seeds have the mean that is seen.
    """
    if seen.size < 2:
        return seen, df
    level = np.exp(np.mean(np.log(seen) - special.digamma(df / 2) + np.log(df / 2)))
    return (PRIOR_DF * level + df * seen) / (PRIOR_DF + df), PRIOR_DF + df


def _pooled(
    members: Sequence[tuple[Hypothesis, Components | Estimate]], size: np.ndarray
) -> np.ndarray:
    """Item variance of one item, per unit of squared weight, drawn towards the members' mean.

    As in a random-effects meta-analysis: the more so the less the estimates differ beyond their
    own errors. At least 0.
    """
    data = [d for _, d in members if isinstance(d, Components)]
    if len(data) < len(members):
        return np.zeros(size.size)
    scale = np.array([d.n_items.sum() for d in data]) / size
    seen = np.array([d.item_variance for d in data]) * scale
    error = 2 * np.array([d.item_spread for d in data]) * scale**2
    if seen.size > 1:
        between = max(0.0, float(seen.var(ddof=1) - error.mean()))
        trust = between / np.maximum(between + error, np.finfo(float).tiny)
        seen = seen.mean() + trust * (seen - seen.mean())
    return np.maximum(seen, 0.0)


def _power(h: Hypothesis, v: Variance, n: int, m: float, alpha: float) -> float:
    from_seeds = (v.runs + v.residual / m) / n
    from_items = v.items / m
    total = from_seeds + from_items
    if total <= 0:
        return 1.0
    item_df = max(m - v.strata, 1.0)
    df = float(effective_df(alpha, from_seeds / total, n - 1.0, item_df))
    effect, equivalence = h.goal / math.sqrt(total), h.alternative == "equivalent"
    # `power` without scipy's checks of every argument, since a plan asks some 80 times a part.
    missed = float(special.nctdtr(df, effect, special.stdtrit(df, 1 - alpha)))
    if df > LARGE_DF or math.isnan(missed):
        return power(effect, 1.0, df, alpha, equivalence)
    return max(0.0, 1.0 - 2 * missed) if equivalence else 1.0 - missed


def _first(
    h: Hypothesis, v: Variance, alpha: float, wanted: float = POWER
) -> tuple[int, int] | None:
    """Seeds of the first design, and the fewest that any number of items could do with."""
    low, high = 2, MOST_SEEDS
    if _power(h, v, high, math.inf, alpha) < wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        enough = _power(h, v, middle, math.inf, alpha) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    fewest = max(low, 2, h.min_seeds) if v.n_items == 0 else low
    seeds = fewest if v.n_items == 0 else math.ceil(FEW_SEEDS * fewest)
    return max(seeds, h.min_seeds, 2), fewest


def _items(h: Hypothesis, v: Variance, n: int, alpha: float, wanted: float = POWER) -> int | None:
    low, high = LEAST_ITEMS, MOST_ITEMS
    if _power(h, v, n, high, alpha) < wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        enough = _power(h, v, n, middle, alpha) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _readable(items: int) -> int:
    """Two significant digits, upwards: the third is not known."""
    step = 10 ** max(len(str(items)) - 2, 0)
    return math.ceil(items / step) * step
