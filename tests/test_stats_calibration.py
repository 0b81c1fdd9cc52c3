"""A short calibration: gross departures from the stated error rates fail.

`benchmarks/calibration.py` has the long form. The seeds were taken as they came.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lawcheck.judging.stats import two_way_batch
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
