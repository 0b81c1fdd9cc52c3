"""Unscored items: bounds by hand, tipping points, and the level of what stays shown."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_world import PLACES, SCIENCE, columns, table

from lawcheck.declare.design import Arm, RelativeGain, difference
from lawcheck.declare.estimands import Pooled, SeedSpread
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.missing import endless, missing
from lawcheck.judging.stats import two_way
from lawcheck.judging.stats.simulation import Cell, simulate

A, B = Arm(method="a"), Arm(method="b")
GAIN = difference([A], [B])
NAN = float("nan")


def holding(**arms):
    """Evidence of one (tasks, seeds, items) array an arm."""
    shape = np.shape(arms["a"])
    tasks = SCIENCE[: shape[0]]
    scores = SimpleNamespace(
        item_metric=dict.fromkeys(tasks, "acc"),
        seeds=lambda arm, task, metric=None: tuple(range(shape[1])),
        cube=lambda arm, task, seeds, metric=None: np.array(arms[arm][tasks.index(task)], float),
        clusters=lambda *_: None,
    )
    return Evidence(scores=scores, places={t: PLACES[t] for t in tasks})


def test_bounds_by_hand():
    a = [[1, 1, 0, NAN], [1, NAN, 1, 0], [1, 1, 1, 1]]
    b = [[0, 1, 0, 1], [1, 0, NAN, 0], [0, 1, 0, 1]]
    found = missing(GAIN, holding(a=[a], b=[b]))
    low, high = found.bounds
    # Means of a: 2/4, 2/4, 1 at worst; 3/4, 3/4, 1 at best. Of b: 1/2, 1/2, 1/2 or 1/4 at best.
    assert low.value == pytest.approx(100 * (2 / 3 - 1 / 2))
    assert high.value == pytest.approx(100 * (2.5 / 3 - (1 / 2 + 1 / 4 + 1 / 2) / 3))
    mine, theirs = found.arms
    assert (mine.arm, mine.n_unscored, mine.n_cells, mine.accuracy) == ("a", 2, 12, 0.8)
    assert theirs.rate == pytest.approx(1 / 12)
    assert theirs.accuracy == pytest.approx(5 / 11)
    # Alike: the seed's own accuracy among its scored items.
    assert found.at(0.0).value == pytest.approx(
        100 * np.mean([2 / 3 - 1 / 2, 2 / 3 - 1 / 3, 1 - 1 / 2])
    )


def test_pooled_contrasts_have_bounds_on_the_targets_that_each_reads():
    c, d = Arm(method="c"), Arm(method="d")
    first, second = SCIENCE[:2]
    pooled = Pooled(parts=(difference([A], [B], first), difference([c], [d], second)))
    evidence = holding(
        a=[[[1, NAN, 1, 1]], [[NAN, NAN, NAN, 1]]], b=np.zeros((2, 1, 4)),
        c=np.ones((2, 1, 4)), d=[[[0, 0, 0, 0]], [[1, 0, 0, NAN]]],
    )  # fmt: skip
    found = missing(pooled, evidence)
    # (3/4 + 1 - 2/4) / 2 at worst; (1 + 1 - 1/4) / 2 at best. The second target is not read of a.
    assert [e.value for e in found.bounds] == pytest.approx([62.5, 87.5])
    assert [(x.arm, x.n_unscored, x.n_cells) for x in found.arms] == [("a", 1, 4), ("d", 1, 4)]
    assert endless(Pooled(parts=(difference([A], [B], first, "information"),)))
    # What helps on one target and harms on the other has no worst corner.
    assert missing(Pooled(parts=(GAIN, difference([B], [A], second))), evidence) is None


def test_complete_scores_have_no_bounds_and_tables_do():
    rows = columns({A: 0.8, B: 0.5}, 5, 100, tasks=SCIENCE)
    assert missing(GAIN, Evidence(scores=table(rows), places=PLACES)) is None
    blank = [k for k, arm in enumerate(rows["arm"]) if arm == "a"][::50]
    for k in blank:
        rows["value"][k] = NAN
    found = missing(GAIN, Evidence(scores=table(rows), places=PLACES))
    (gaps,) = found.arms
    assert (gaps.arm, gaps.n_unscored, gaps.n_cells) == ("a", 50, 2500)
    low, high = found.bounds
    assert high.value - low.value == pytest.approx(2.0)
    assert not found.tips("greater", 0.05)
    assert found.tipping("greater", 0.05) is None


def test_relative_gains_have_bounds_and_spreads_none():
    a = [[[1, 1, 0, NAN], [1, 1, NAN, 0]]]
    b = [[[0, 1, 0, 1], [1, 0, 0, 1]]]
    ratio = RelativeGain(arm=A, reference=B)
    low, high = missing(ratio, holding(a=a, b=b)).bounds
    assert (low.value, high.value) == pytest.approx((0.0, 50.0))
    assert missing(SeedSpread(treatments=(A,), controls=(B,)), holding(a=a, b=b)) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.3))
def test_the_truth_lies_between_the_bounds(seed, rate):
    rng = np.random.default_rng(seed)
    arms = {n: (rng.random((2, 4, 30)) < p).astype(float) for n, p in (("a", 0.7), ("b", 0.5))}
    holes = {n: np.where(rng.random(c.shape) < rate, NAN, c) for n, c in arms.items()}
    found = missing(GAIN, holding(**holes))
    if found is None:
        return
    truth = two_way(list(arms["a"] - arms["b"])).value
    low, high = found.bounds
    assert low.value - 1e-9 <= truth <= high.value + 1e-9
    assert low.value <= found.at(-0.5).value <= found.at(0.0).value <= high.value + 1e-9


def test_the_tipping_point_is_where_it_tips():
    rng = np.random.default_rng(2)
    a = (rng.random((1, 5, 400)) < 0.62).astype(float)
    b = (rng.random((1, 5, 400)) < 0.55).astype(float)
    a[rng.random(a.shape) < 0.12] = NAN
    found = missing(GAIN, holding(a=a, b=b))
    assert found.tips("greater", 0.05)
    tip = found.tipping("greater", 0.05)
    assert 0 < tip.way < 1
    ((arm, accuracy),) = tip.accuracies
    assert arm == "a"
    assert accuracy == pytest.approx(found.arms[0].accuracy * (1 - tip.way))
    assert found.at(-tip.way).p_above(0.0) > 0.05 > found.at(-tip.way + 0.01).p_above(0.0)
    # A bound from above is lost in the other direction.
    cap = found.tipping("no_gain", 0.05, 12.0)
    assert cap.accuracies[0][1] > found.arms[0].accuracy


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_level_where_wrong_answers_of_one_arm_go_unscored(rate):
    """Equal arms: the test that leaves unscored items out errs; what cannot tip does not."""
    rng = np.random.default_rng(13)
    n = 400
    arms = simulate(Cell(seeds=5, items=60, seed_sd=0.7), (0.0, 0.0), n, rng)
    naive, kept = [], []
    for k in range(n):
        a, b = ([d[k].astype(float) for d in arm] for arm in arms)
        a = [np.where((c == 0) & (rng.random(c.shape) < rate), NAN, c) for c in a]
        found = missing(GAIN, holding(a=a, b=b))
        shown = two_way([x - y for x, y in zip(a, b, strict=True)]).p_above(0.0) <= 0.05
        naive.append(shown)
        kept.append(shown and not found.tips("greater", 0.05))
    assert np.mean(naive) > (0.5 if rate == 0.2 else 0.1)
    assert np.mean(kept) <= 0.06
