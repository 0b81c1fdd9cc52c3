"""Posterior of a contrast's regions: recomputed by quadrature, beside the test, calibrated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lawcheck.judging.stats import paired_t, two_way
from lawcheck.judging.stats.components import components
from lawcheck.judging.stats.posterior import posterior, posterior_of_t, regions
from lawcheck.judging.stats.simulation import Cell, contrast, simulate

GAIN = regions("greater", 1.0)


def answer(cubes, where=GAIN, draws=20_000, seed=0, **more):
    return posterior(components(cubes, **more), where, np.random.default_rng(seed), draws)


def test_without_items_it_is_the_t_distribution():
    values = np.array([1.3, 0.2, 2.1, 0.8, 1.9])
    found = answer([values[:, None] / 100])
    value, se = values.mean(), values.std(ddof=1) / np.sqrt(5)
    assert found.reversed == pytest.approx(stats.t.cdf(-value / se, 4), abs=0.003)
    assert found.of_interest == pytest.approx(stats.t.sf((1 - value) / se, 4), abs=0.005)
    assert posterior_of_t(paired_t(values), GAIN).reversed == pytest.approx(
        stats.t.cdf(-value / se, 4), abs=1e-12
    )


def test_quadrature_over_the_three_variances_agrees():
    """One discipline, few items: the integral on a grid of log mean squares."""
    rng = np.random.default_rng(5)
    s, i = 4, 8
    x = (
        0.02
        + rng.normal(0, 0.02, (s, 1))
        + rng.normal(0, 0.06, (1, i))
        + rng.normal(0, 0.08, (s, i))
    )
    x = 100 * x
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    rest = x - rows[:, None] - columns + grand
    # (mean square, df) of seeds, items, residual; expectations are the E of the prior 1 / E.
    squares = (
        (i * rows.var(ddof=1), s - 1),
        (s * columns.var(ddof=1), i - 1),
        ((rest**2).sum() / (s - 1) / (i - 1), (s - 1) * (i - 1)),
    )
    log_e = [np.linspace(np.log(q) - 5, np.log(q) + 9, 141) for q, _ in squares]
    density = [
        -df / 2 * g - df * q / 2 / np.exp(g) for (q, df), g in zip(squares, log_e, strict=True)
    ]
    e_seed, e_item, e_rest = np.meshgrid(*(np.exp(g) for g in log_e), indexing="ij")
    log_p = density[0][:, None, None] + density[1][None, :, None] + density[2][None, None, :]
    p = np.where(e_item >= e_rest, np.exp(log_p - log_p.max()), 0.0)
    sd = np.sqrt((e_seed + np.maximum(e_item - e_rest, 0)) / (s * i))
    wanted = [
        (p * stats.norm.cdf((0 - grand) / sd)).sum() / p.sum(),
        (p * stats.norm.sf((1 - grand) / sd)).sum() / p.sum(),
    ]
    found = answer([x / 100])
    assert [found.reversed, found.of_interest] == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize(
    ("cell", "typical", "largest"),
    [
        (Cell(seeds=5, items=300), 0.02, 0.1),
        (Cell(seeds=10, items=100, seed_sd=0.5, item_sd=15.0), 0.02, 0.03),
        (Cell(seeds=3, items=200), 0.06, 0.25),
    ],
    ids=["5 seeds", "10 seeds, items rule", "3 seeds"],
)
def test_it_agrees_with_the_test_to_within_what_the_docs_say(cell, typical, largest):
    """Largest difference of a probability and a one-sided p value, over 100 studies."""
    arms = simulate(cell, (1.0, 0.0), 100, np.random.default_rng(9))
    gaps = []
    study = contrast(*arms)
    for k in range(100):
        cubes = [d[k] for d in study]
        test, found = two_way(cubes), answer(cubes, draws=2000)
        gaps += [found.reversed - test.p_above(0.0), found.of_interest - test.p_below(1.0)]
    assert np.quantile(np.abs(gaps), 0.95) < typical
    assert np.max(np.abs(gaps)) < largest


def test_said_probabilities_come_true():
    """Effects spread over the three regions: of what is said to be 80 % likely, 80 % is true."""
    rng = np.random.default_rng(21)
    said, true = [], []
    for _ in range(700):
        effect = rng.uniform(-4, 6)
        arms = simulate(Cell(seeds=5, items=60), (effect, 0.0), 1, rng)
        found = answer([d[0] for d in contrast(*arms)], draws=300)
        said.append(found.of_interest)
        true.append(effect >= 1)
    said, true = np.array(said), np.array(true)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01)):
        inside = (said >= low) & (said < high)
        n = inside.sum()
        error = np.sqrt(max(said[inside].mean() * (1 - said[inside].mean()), 0.02) / n)
        assert true[inside].mean() == pytest.approx(said[inside].mean(), abs=3 * error)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(1, 3), st.integers(2, 30), st.integers(0, 10**6))
def test_probabilities_and_mirror(n_seeds, n_strata, n_items, seed):
    rng = np.random.default_rng(seed)
    cubes = [rng.normal(0.01, 0.1, (n_seeds, n_items)) for _ in range(n_strata)]
    up = answer(cubes, draws=500)
    down = answer([-c for c in cubes], regions("less", 1.0), draws=500)
    assert up.reversed + up.negligible + up.of_interest == pytest.approx(1)
    assert min(up.reversed, up.negligible, up.of_interest) >= 0
    assert (up.reversed, up.of_interest) == pytest.approx((down.reversed, down.of_interest))
    assert up == answer(cubes, draws=500)
    # The regions of a margin: one minus the other.
    capped = answer(cubes, regions("no_gain", 1.0, 1.0), draws=500)
    assert capped.of_interest == pytest.approx(up.reversed + up.negligible)
    assert capped.negligible == pytest.approx(0, abs=1e-9)


def test_gaps_and_clusters_and_what_has_no_posterior():
    rng = np.random.default_rng(3)
    cube = rng.normal(0.02, 0.3, (5, 200))
    whole = answer([cube])
    holes = np.where(rng.random(cube.shape) < 0.02, np.nan, cube)
    assert answer([holes]).reversed == pytest.approx(whole.reversed, abs=0.1)
    pairs = np.repeat(cube[:, :100], 2, axis=1)
    single, doubled = answer([cube[:, :100]]), answer([pairs], clusters=[np.arange(200) // 2])
    assert doubled.reversed == pytest.approx(single.reversed, abs=0.01)
    assert answer([cube[:1]]) is None
    assert answer([np.zeros((3, 4))]) is None
    assert regions("below", 1.0) is None


def test_beside_baycomp():
    """Benavoli et al. 2017: their correlated t is ours with the error that they inflate."""
    baycomp = pytest.importorskip("baycomp", reason="baycomp is not installed")
    x, y = np.random.default_rng(8).normal([[1.5], [0.0]], 1.0, (2, 6))
    # It speaks of y - x.
    theirs = baycomp.two_on_single(y, x, rope=1.0, runs=2)
    value, variance, df = baycomp.CorrelatedTTest.compute_statistics(y, x, 2)
    difference = x - y
    assert (value, df) == pytest.approx((difference.mean(), 5))
    # Three folds a run: correlation 1/3 adds (1/3) / (2/3) to 1/n.
    assert variance == pytest.approx(difference.var(ddof=1) * (1 / 6 + 1 / 2))
    ours = paired_t(difference)
    inflated = dataclasses.replace(ours, se=float(np.sqrt(variance)))
    found = posterior_of_t(inflated, regions("equivalent", 1.0, 1.0))
    assert found.of_interest == pytest.approx(theirs[1], abs=1e-9)
    gain = posterior_of_t(inflated, GAIN)
    assert gain.of_interest == pytest.approx(theirs[2], abs=1e-9)
