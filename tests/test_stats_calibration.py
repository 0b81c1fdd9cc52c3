"""A short calibration: gross departures from the stated error rates fail.

`benchmarks/calibration.py` has the long form. The seeds were taken as they came.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from lawcheck.judging.stats import log_ratio, run_variance, two_way, two_way_batch
from lawcheck.judging.stats.simulation import Cell, contrast, simulate

CELLS = {
    "three seeds": Cell(seeds=3, items=200),
    "five seeds": Cell(seeds=5, items=200),
    "ten seeds, item noise rules": Cell(seeds=10, items=100, seed_sd=0.5, item_sd=15.0),
    "arms correlated": Cell(seeds=4, items=200, seed_sd=3.0, correlation=0.8),
    "heavy tails": Cell(seeds=5, items=100, seed_sd=3.0, tails="t3"),
}
N = 2000


@pytest.mark.parametrize("name", CELLS)
def test_level_and_coverage(name):
    # Nominal 5 %; with 2,000 repetitions the standard error is 0.5 %.
    a, b = simulate(CELLS[name], (0.0, 0.0), N, np.random.default_rng(2024))
    value, se, df = two_way_batch(contrast(a, b))
    assert np.mean(stats.t.sf(value / se, df) < 0.05) < 0.075
    assert np.mean(stats.t.cdf(value / se, df) < 0.05) < 0.075
    assert np.mean(np.abs(value / se) < stats.t.isf(0.025, df)) > 0.925


def test_power_is_near_that_of_a_paired_t_where_seeds_rule():
    cell = Cell(seeds=5, items=400, seed_sd=1.0, correlation=0.5, item_sd=0.0)
    a, b = simulate(cell, (2.0, 0.0), 1000, np.random.default_rng(2025))
    value, se, df = two_way_batch(contrast(a, b))
    # Seeds 1 point, item noise 1.5 points: an exact paired t of SD 1.8 has power 0.66.
    assert np.mean(stats.t.sf(value / se, df) < 0.05) > 0.6
    assert np.mean(value) == pytest.approx(2.0, abs=0.15)


def test_false_contradiction_of_a_law_with_three_parts():
    """Every gain exactly at the smallest effect of interest: Holm keeps the rate."""
    cell = Cell(seeds=5, items=150)
    a, *controls = simulate(cell, (1.0, 0.0, 0.0, 0.0), N, np.random.default_rng(2026))
    p = []
    for control in controls:
        value, se, df = two_way_batch(contrast(a, control))
        p.append(stats.t.cdf((value - 1.0) / se, df))
    assert np.mean(np.min(p, axis=0) < 0.05 / 3) < 0.075


TAILS = {
    "two seeds": Cell(seeds=2, items=(50, 100, 200, 400, 800), seed_sd=0.5),
    "three seeds": Cell(seeds=3, items=(50, 100, 200, 400, 800), seed_sd=0.5),
    "items near 0 and 1": Cell(seeds=3, items=200, levels=((0, 0.05), (0.95, 1)), item_sd=1.0),
}


@pytest.mark.parametrize("name", TAILS)
def test_far_tails_of_few_seeds_beside_items(name):
    """At 1.25 %, where an item term beside few seeds gives Satterthwaite's t 2.3 % or more."""
    cell = TAILS[name] if "near" in name else TAILS[name].with_item_variance(0.15)
    a, b = simulate(cell, (0.0, 0.0), 2 * N, np.random.default_rng(2027))
    value, se, df = two_way_batch(contrast(a, b), alpha=0.0125)
    for side in (value, -value):
        assert np.mean(side > stats.t.isf(0.0125, df) * se) < 0.0225


def test_unequal_clusters_keep_the_level():
    sizes = (5, 7, 10, 15, 20, 30, 45, 60, 90, 140, 220, 400)
    code = np.repeat(np.arange(12), sizes)
    rng = np.random.default_rng(2028)
    rejected = []
    for _ in range(4):
        cubes = [
            (rng.normal(size=(500, 1, 12)) + rng.normal(size=(500, 5, 12)))[..., code]
            for _ in range(5)
        ]
        value, se, df = two_way_batch(cubes, clusters=[code] * 5)
        rejected.append(value > stats.t.isf(0.05, df) * se)
    assert np.mean(rejected) < 0.06


@pytest.mark.parametrize("shape", ["normal", "t3"])
def test_variance_ratios_keep_their_level_with_correlated_disciplines(shape):
    rng = np.random.default_rng(2029)
    draw = rng.standard_normal if shape == "normal" else lambda s: rng.standard_t(3, s) / 3**0.5
    false, negligible = [], []
    for _ in range(1500):
        run = 0.9**0.5 * draw((3, 5, 1, 1)) + 0.1**0.5 * draw((3, 5, 5, 1))
        for scale, found in ((1.0, false), (1.25, negligible)):
            sides = [run_variance(x, 0.0) for x in (scale * run[0], scale * run[1], run[2])]
            ratio = log_ratio(sides[:2], sides[2:], 0.5)
            p = ratio.p_above() if scale == 1 else ratio.p_below(np.log(1.25))
            found.append(p < 0.05)
    assert np.mean(false) < 0.065
    assert np.mean(negligible) < 0.05


def test_a_few_items_that_gain_much_do_not_break_the_level():
    """Log-normal item effects less their mean: bounds allow for the skewness of the mean."""
    rng, low, high, plain = np.random.default_rng(7), 0, 0, 0
    for _ in range(600):
        cubes = [
            rng.lognormal(0, 1, (1, 100)) - np.exp(0.5) + 0.5 * rng.standard_normal((5, 100))
            for _ in range(3)
        ]
        found = two_way(cubes, skewed=True)
        low += found.p_above() < 0.05
        high += found.p_below() < 0.05
        plain += dataclasses.replace(found, skew=0.0).p_below() < 0.05
        # An interval and the tests that read it agree; the guard only widens.
        ends = found.interval(0.05)
        assert (ends[0] > 0, ends[1] < 0) == (found.p_above() < 0.05, found.p_below() < 0.05)
        assert found.p_above(ends[0]) == pytest.approx(0.05)
        wide = dataclasses.replace(found, skew=0.0).interval(0.05)
        assert ends[0] <= wide[0] + 1e-12
        assert ends[1] >= wide[1] - 1e-12
    # Nominal 30 of 600; the standard error is 5.
    assert low < 45
    assert high < 45
    assert plain > high
