"""Simulated verdicts against verdicts of simulated items."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from score_world import PLACES, SCIENCE, columns, table

from lawcheck.declare.design import Arm, Cost, Hypothesis, Law, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.operating import (
    Sampling,
    characteristics,
    sampling,
    simulate,
    truth,
)
from lawcheck.judging.stats import two_way_batch
from lawcheck.judging.stats.simulation import Cell, contrast
from lawcheck.judging.stats.simulation import simulate as simulate_items
from lawcheck.studies.discipline_laws.laws.share_then_specialize import LAW as SHARE

BASE, A, B, C = (Arm(method=m) for m in ("base", "a", "b", "c"))


def part(name, treatment, control, alternative="greater", estimand=None, margin=None):
    return Hypothesis(
        name=name,
        role="primary",
        claim=name,
        estimand=estimand or difference([treatment], [control]),
        alternative=alternative,
        sesoi=1.0,
        margin=margin,
    )


def intersection(parts, draws):
    """Gains at 5 %, counted parts below 0: the words of a simple law."""
    shown = np.ones(len(draws.value), dtype=bool)
    against = np.zeros_like(shown)
    for k, h in enumerate(parts):
        value, bound = draws.value[:, k], draws.bound(k, 0.05)
        if h.alternative == "below":
            shown &= value < 0
            continue
        shown &= value > bound
        against |= value + bound < h.sesoi
    return np.where(against, "CONTRADICTED", np.where(shown, "HOLDS", "NOT SHOWN"))


def test_against_simulated_items():
    """Two gains over one control: estimates, errors and both rates as from the items."""
    cell = Cell(seeds=5, items=120, seed_sd=1.2, correlation=0.3, item_sd=8.0)
    a, b, c = simulate_items(cell, (1.5, 1.5, 0.0), 3000, np.random.default_rng(4))
    truths = [two_way_batch(contrast(x, c)) for x in (a, b)]
    value, se, df = (np.stack([t[k] for t in truths], axis=1) for k in range(3))
    # What a table of many studies would show of the same two parts.
    per_seed = np.stack(
        [100 * np.mean([d.mean(axis=-1) for d in contrast(x, c)], axis=0) for x in (a, b)], axis=-1
    )
    within = np.mean([np.cov(study.T) for study in per_seed], axis=0)
    total = np.cov(value.T)
    draws = simulate(
        Sampling(
            n_seeds=np.array([5, 5]),
            seed_covariance=within,
            item_covariance=total - within / 5,
            item_spread=np.full(2, 0.01),
            item_df=np.full(2, 5 * 119.0),
            ranks=np.zeros(2, dtype=bool),
            known_df=np.full(2, np.nan),
            exact=np.full(2, np.nan),
            unknown=np.zeros(2, dtype=bool),
        ),
        [1.5, 1.5],
        20_000,
        np.random.default_rng(6),
    )
    assert np.cov(draws.value.T) == pytest.approx(total, rel=0.1)
    assert np.median(draws.se, axis=0) == pytest.approx(np.median(se, axis=0), rel=0.05)
    for threshold, side in ((0.0, 1), (1.0, -1)):
        rates = []
        drawn = np.stack([draws.bound(k, 0.05) for k in range(2)], axis=1)
        for v, bound in ((value, stats.t.isf(0.05, df) * se), (draws.value, drawn)):
            rejected = side * (v - threshold) > bound
            rates.append([rejected.all(axis=1).mean(), rejected.any(axis=1).mean()])
        assert rates[1] == pytest.approx(rates[0], abs=0.03)


def test_a_law_from_its_table():
    """The paired t's own power where one part stands alone and items are many."""
    level = {BASE: 0.3, A: 0.6, B: 0.6}
    scores = table(columns(level, 6, 400, tasks=SCIENCE, seed_sd=0.02))
    evidence = Evidence(scores=scores, places=PLACES)
    law = Law(name="test", title="T", claim="C", source="none", hypotheses=(part("gain", A, B),))
    found = sampling(law.hypotheses, evidence)
    value, _ = evidence.combination(law.hypotheses[0].estimand.weights, "average")
    assert found.seed_covariance[0, 0] == pytest.approx(value.seed_variance)
    assert found.item_covariance[0, 0] == pytest.approx(value.item_variance)
    none, half, whole = characteristics(
        law, evidence, intersection, np.random.default_rng(1), n=20_000
    )
    assert none.share("HOLDS") == pytest.approx(0.05, abs=0.01)
    assert whole.share("CONTRADICTED") == pytest.approx(0.05, abs=0.01)
    for at in (none, half, whole):
        se = np.sqrt(value.seed_variance / 6 + value.item_variance)
        power = stats.nct.sf(stats.t.isf(0.05, 5), 5, at.fraction / se)
        assert at.share("HOLDS") == pytest.approx(power, abs=0.05)
        assert sum(share for _, share in at.outcomes) == pytest.approx(1)


def test_parts_that_share_an_arm_move_together():
    level = {BASE: 0.3, A: 0.6, B: 0.6, C: 0.6}
    scores = table(columns(level, 5, 300, tasks=SCIENCE, seed_sd=0.02))
    parts = (part("ab", A, B), part("ac", A, C), part("ba", B, A))
    found = sampling(parts, Evidence(scores=scores, places=PLACES))
    draws = simulate(found, [0.0, 0.0, 0.0], 20_000, np.random.default_rng(2))
    seen = np.corrcoef(draws.value.T)
    assert seen[0, 2] == pytest.approx(-1, abs=1e-6)
    assert 0.1 < seen[0, 1] < 0.9


def test_counted_ranked_and_single_parts():
    cost = part("cost", A, B, "below", estimand=Cost(arm=SHARE.arms[1], reference=SHARE.arms[2]))
    arms = [Arm(method="m", design=(("k", n),)) for n in range(8)]
    link = part("link", A, B, estimand=RankCorrelation(groups=(tuple(arms),), x="average"))
    level = {BASE: 0.3, A: 0.6, B: 0.6} | {a: 0.4 + 0.03 * k for k, a in enumerate(arms)}
    scores = table(columns(level, 3, 100, tasks=SCIENCE))
    evidence = Evidence(scores=scores, places=PLACES, cost=lambda arm, quantity, scale: {
        SHARE.arms[1]: 1.0, SHARE.arms[2]: 2.0}[arm])  # fmt: skip
    found = sampling((cost, link, part("gain", A, B)), evidence)
    draws = simulate(found, [0.0, 0.5, 1.0], 20_000, np.random.default_rng(3))
    assert set(draws.value[:, 0]) == {-50.0}
    assert not draws.se[:, 0].any()
    # Fisher's z of eight points: variance 1.06 / 5 around atanh(0.5).
    z = draws.value[:, 1]
    assert (z.mean(), z.var()) == pytest.approx((np.arctanh(0.5), 1.06 / 5), rel=0.05)
    one = table(columns({BASE: 0.3, A: 0.6, B: 0.6}, 1, 50, tasks=SCIENCE))
    law = Law(name="one", title="T", claim="C", source="s", hypotheses=(part("gain", A, B),))
    lone = Evidence(scores=one, places=PLACES)
    assert characteristics(law, lone, intersection, np.random.default_rng(0)) == ()


def test_where_the_truth_lies():
    gain, cap = part("g", A, B), part("c", A, B, "no_gain", margin=2.0)
    loss, even = part("l", A, B, "less"), part("e", A, B, "equivalent", margin=2.0)
    assert [truth(h, 0.5) for h in (gain, loss, cap, even)] == [0.5, -0.5, 1.0, 1.0]
    assert [truth(h, 1.0) for h in (gain, loss, cap, even)] == [1.0, -1.0, 0.0, 0.0]
