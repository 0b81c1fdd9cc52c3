"""What stands beside a verdict and never decides it: posteriors, sizes, other choices, power."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Contrast, Hypothesis, Law, PartVerdict, Power
from lawcheck.declare.estimands import Pooled, RankCorrelation
from lawcheck.errors import InputError
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.looks import Looks
from lawcheck.judging.multiverse import multiverse, usual
from lawcheck.judging.operating import Decide, Draws, characteristics
from lawcheck.judging.sizing import Variance, measured, sizing, variances
from lawcheck.judging.stats.components import Components
from lawcheck.judging.stats.estimate import Estimate
from lawcheck.judging.stats.posterior import posterior, posterior_of_t, regions

Words = NDArray[np.str_]
Outcome = Callable[[Hypothesis, Evidence], str]


def beside(
    law: Law,
    evidence: Evidence,
    parts: Sequence[PartVerdict],
    looks: Looks,
    outcome: Outcome,
    cannot: Collection[str] = (),
) -> tuple[tuple[PartVerdict, ...], tuple[Power, ...]]:
    """The parts with what stands beside them, and the law's operating characteristics.

    outcome: word of a part on other evidence, before other parts are looked at. cannot: parts that
    can be neither shown nor contradicted on these data, whatever is true: too few seeds, base
    models of another kind than they speak of, or arms that agree in every item.
    """
    rng = evidence.generator()
    seen = {h.name: _measured(h, evidence.for_part(h.name)) for h in law.hypotheses}
    known = [(h, seen[h.name]) for h in law.hypotheses]
    sizes = variances([(h, v) for h, v in known if v is not None])
    found = [
        _with(h, p, seen[h.name], sizes, evidence.for_part(h.name), looks, outcome, rng)
        for h, p in zip(law.hypotheses, parts, strict=True)
    ]
    rows = characteristics(law, evidence, decided(looks, cannot), evidence.generator())
    power = tuple(
        Power(fraction=r.fraction, holds=r.share("HOLDS"), contradicted=r.share("CONTRADICTED"))
        for r in rows
    )
    return tuple(found), power


def _measured(h: Hypothesis, evidence: Evidence) -> Components | Estimate | None:
    try:
        return measured(h, evidence)
    except InputError:
        # The part itself says what is missing.
        return None


def _with(
    h: Hypothesis,
    part: PartVerdict,
    data: Components | Estimate | None,
    sizes: Mapping[str, Variance],
    evidence: Evidence,
    looks: Looks,
    outcome: Outcome,
    rng: np.random.Generator,
) -> PartVerdict:
    where = regions(h.alternative, h.sesoi, h.margin)
    shares = None
    if (
        where is not None
        and isinstance(h.estimand, Contrast | Pooled)
        and isinstance(data, Components)
    ):
        shares = posterior(data, where, rng)
    elif where is not None and isinstance(data, Estimate):
        shares = posterior_of_t(data, where)
    size = sizing(h, sizes[h.name], looks.level(h.alpha)) if h.name in sizes else None
    # Without an estimate, or with too few seeds to decide, there is nothing to agree with.
    decides = part.estimate is not None and part.n_seeds >= max(2, h.min_seeds)
    choices = usual(h, evidence) if decides else ()
    other = multiverse(h, evidence, choices, outcome)
    return dataclasses.replace(
        part,
        posterior=(shares.reversed, shares.negligible, shares.of_interest) if shares else (),
        designs=size.text if size else "",
        agreeing=(other.agreeing, len(other.outcomes)) if other.outcomes else (),
    )


def decided(looks: Looks, mute: Collection[str] = ()) -> Decide:
    """The law's word on simulated estimates of its cases, checks taken as passed.

    As `lawcheck.judging.verdict` decides: conjuncts carry the name of their part. mute: parts that
    are neither shown nor contradicted, whatever their estimate.
    """

    def words(cases: Sequence[Hypothesis], draws: Draws) -> Words:
        names = [h.name for h in cases]
        sampled = {h.name for j, h in enumerate(cases) if draws.se[:, j].any()} - set(mute)
        holds, contradicted = np.ones(len(draws.value), bool), np.zeros(len(draws.value), bool)
        for j, h in enumerate(cases):
            if h.name in mute:
                holds &= False
                continue
            if h.name not in sampled:
                holds &= draws.value[:, j] < 0
                contradicted |= draws.value[:, j] >= 0
                continue
            alpha = looks.level(h.alpha)
            several = names.count(h.name)
            holds &= _claimed(h, draws, j, alpha) & ~_against(h, draws, j, alpha)
            # Holm's first step decides whether any part contradicts.
            contradicted |= _against(h, draws, j, alpha / several / len(sampled))
        return np.where(contradicted, "CONTRADICTED", np.where(holds, "HOLDS", "open"))

    return words


def _claimed(h: Hypothesis, draws: Draws, j: int, alpha: float) -> NDArray[np.bool_]:
    """(n,) whether the declared alternative is shown at alpha."""
    value, bound, margin = draws.value[:, j], draws.bound(j, alpha), h.margin or 0.0
    if h.alternative == "greater":
        return value >= bound
    below = value + bound <= margin
    return below & (value - bound >= -margin) if h.alternative == "equivalent" else below


def _against(h: Hypothesis, draws: Draws, j: int, alpha: float) -> NDArray[np.bool_]:
    """(n,) whether the opposite, or an effect below the smallest of interest, is shown."""
    value = draws.value[:, j]
    if h.alternative == "equivalent":
        return np.abs(value) - draws.bound(j, alpha / 2) >= (h.margin or 0.0)
    bound = draws.bound(j, alpha)
    if h.alternative == "no_gain":
        return value - bound >= (h.margin or 0.0)
    # A permutation test has no threshold but 0.
    size = 0.0 if isinstance(h.estimand, RankCorrelation) else h.sesoi
    return value + bound <= size if h.alternative == "greater" else value - bound >= -size
