"""What stands beside a verdict and never decides it: posteriors, sizes, other choices, power."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lawcheck.declare.design import Contrast, Hypothesis, Law, PartVerdict, Power
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
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
    law: Law, evidence: Evidence, parts: Sequence[PartVerdict], looks: Looks, outcome: Outcome
) -> tuple[tuple[PartVerdict, ...], tuple[Power, ...]]:
    """The parts with what stands beside them, and the law's operating characteristics.

    outcome: word of a part on other evidence, before other parts are looked at.
    """
    rng = evidence.generator()
    seen = {h.name: _measured(h, evidence.for_part(h.name)) for h in law.hypotheses}
    known = [(h, seen[h.name]) for h in law.hypotheses]
    sizes = variances([(h, v) for h, v in known if v is not None])
    found = [
        _with(h, p, seen[h.name], sizes, evidence.for_part(h.name), looks, outcome, rng)
        for h, p in zip(law.hypotheses, parts, strict=True)
    ]
    rows = characteristics(law, evidence, decided(looks), evidence.generator())
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
    if where is not None and isinstance(h.estimand, Contrast) and isinstance(data, Components):
        shares = posterior(data, where, rng)
    elif where is not None and data is not None:
        shares = posterior_of_t(estimate(h.estimand, evidence).estimate, where)
    size = sizing(h, sizes[h.name], looks.level(h.alpha)) if h.name in sizes else None
    other = multiverse(h, evidence, usual(h, evidence), outcome)
    return dataclasses.replace(
        part,
        posterior=(shares.reversed, shares.negligible, shares.of_interest) if shares else (),
        designs=size.text if size else "",
        agreeing=(other.agreeing, len(other.outcomes)) if other.outcomes else (),
    )


def decided(looks: Looks) -> Decide:
    """The law's word on simulated estimates of its primary parts, checks taken as passed.

    As `lawcheck.judging.verdict` decides; p values use the degrees of freedom of a one-sided 5 %.
    """

    def words(parts: Sequence[Hypothesis], draws: Draws) -> Words:
        shown, least = [], []
        for j, h in enumerate(parts):
            alpha = looks.level(h.alpha)
            claimed, opposite, against = _tails(h, draws, j)
            contradicts = np.minimum(opposite, against)
            shown.append((claimed <= alpha) & (contradicts > alpha))
            # Holm's first step decides whether any part contradicts.
            least.append(contradicts * len(parts) <= alpha)
        holds, contradicted = np.all(shown, axis=0), np.any(least, axis=0)
        return np.where(contradicted, "CONTRADICTED", np.where(holds, "HOLDS", "open"))

    return words


def _tails(h: Hypothesis, draws: Draws, j: int) -> tuple[NDArray[np.float64], ...]:
    """p of the claim, of its opposite and of anything against it, (n,) each."""
    value, se, df = draws.value[:, j], draws.se[:, j], draws.df[:, j]
    counted = se <= 0

    def above(threshold: float) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            p = stats.t.sf((value - threshold) / se, df)
        return np.where(counted, np.where(value > threshold, 0.0, 1.0), p)

    if h.alternative == "greater":
        return above(0.0), 1 - above(0.0), 1 - above(h.sesoi)
    if h.alternative in ("less", "below"):
        small = above(-h.sesoi) if h.alternative == "less" else above(0.0)
        return 1 - above(0.0), above(0.0), small
    margin = h.margin if h.margin is not None else math.nan
    if h.alternative == "no_gain":
        return 1 - above(margin), above(margin), above(margin)
    outside = np.minimum(1.0, 2 * np.minimum(above(margin), 1 - above(-margin)))
    return np.maximum(1 - above(margin), above(-margin)), outside, outside
