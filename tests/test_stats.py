"""The statistics against scipy and statsmodels, their invariances and their bookkeeping."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from lawcheck.errors import InputError
from lawcheck.judging.stats import (
    Estimate,
    detectable_effect,
    holm,
    interquartile_mean,
    item_terms,
    log_ratio,
    log_variance_ratio,
    no_gain,
    off_line,
    paired_t,
    performance_profile,
    power,
    roughness,
    router_entropy,
    router_information,
    run_variance,
    seeds_needed,
    spearman,
    tost,
    two_way,
    two_way_batch,
)

cells = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])


@st.composite
def strata(draw, gaps: bool = False):
    n_seeds = draw(st.integers(2, 6))
    cell = cells | st.just(math.nan) if gaps else cells
    return [
        draw(arrays(np.float64, (n_seeds, draw(st.integers(1, 12))), elements=cell))
        for _ in range(draw(st.integers(1, 4)))
    ]


def close(a: Estimate, b: Estimate, sign: int = 1) -> None:
    assert a.value == pytest.approx(sign * b.value, abs=1e-9)
    assert a.se == pytest.approx(b.se, abs=1e-6)
    if a.testable and b.testable:
        assert a.df == pytest.approx(b.df, rel=1e-5)


def complete(cubes) -> bool:
    return np.all([~np.isnan(c).all(axis=1) for c in cubes], axis=0).any()


@settings(max_examples=150, deadline=None)
@given(strata(gaps=True), st.randoms(use_true_random=False))
def test_order_of_seeds_items_and_strata_and_the_sign_do_not_matter(cubes, random):
    if not complete(cubes):
        with pytest.raises(InputError, match="no seed has a scored item"):
            two_way(cubes)
        return
    first = two_way(cubes)
    seeds = random.sample(range(len(cubes[0])), len(cubes[0]))
    moved = [c[seeds][:, random.sample(range(c.shape[1]), c.shape[1])] for c in cubes]
    close(two_way(random.sample(moved, len(moved))), first)
    close(two_way([-c for c in cubes]), first, sign=-1)
    assert first.n_unscored == sum(int(np.isnan(c).sum()) for c in cubes)
    assert first.n_items == sum(c.shape[1] for c in cubes)
    dropped = sum(any(np.isnan(c[s]).all() for c in cubes) for s in range(len(cubes[0])))
    assert (first.n_dropped, first.n_seeds) == (dropped, len(cubes[0]) - dropped)


@settings(max_examples=60, deadline=None)
@given(strata())
def test_formula_as_written_in_the_documentation(cubes):
    s, nd = cubes[0].shape[0], len(cubes)
    m = np.mean([c.mean(axis=1) for c in cubes], axis=0)
    v_seed, extra = m.var(ddof=1) / s, 0.0
    for c in cubes:
        i = c.shape[1]
        if i > 1:
            fit = c.mean(axis=0) + c.mean(axis=1, keepdims=True) - c.mean()
            residual = ((c - fit) ** 2).sum() / ((s - 1) * (i - 1))
            extra += (c.mean(axis=0).var(ddof=1) / i - residual / (s * i)) / nd**2
    found = two_way(cubes)
    assert found.value == pytest.approx(100 * m.mean(), abs=1e-9)
    assert found.se == pytest.approx(100 * math.sqrt(v_seed + max(extra, 0.0)), abs=1e-5)
    assert found.df >= 1
    value, se, df = two_way_batch([c[None] for c in cubes])
    assert (value[0], se[0]) == pytest.approx((found.value, found.se), abs=1e-5)
    if found.testable:
        assert df[0] == pytest.approx(found.df, rel=1e-6)


def test_equals_scipy_where_items_add_no_variance():
    rng = np.random.default_rng(11)
    treatment, control = rng.normal(size=(2, 6))
    same_items = np.repeat((treatment - control)[:, None], 40, axis=1)
    test = scipy_stats.ttest_rel(treatment, control, alternative="greater")
    for estimate in (two_way([same_items / 100]), paired_t(treatment - control)):
        assert estimate.p_above() == pytest.approx(test.pvalue, rel=1e-9)
        assert estimate.df == pytest.approx(test.df)
        interval = scipy_stats.ttest_rel(treatment, control).confidence_interval(0.9)
        assert estimate.interval(0.05) == pytest.approx((interval.low, interval.high))


def test_equivalence_agrees_with_statsmodels():
    rng = np.random.default_rng(12)
    a = rng.normal(size=8)
    b = a + rng.normal(0.1, 0.5, size=8)
    theirs, lower, upper = ttost_paired(a, b, -1.0, 1.0)
    estimate = paired_t(a - b)
    assert tost(estimate, 1.0) == pytest.approx(theirs)
    assert estimate.p_above(-1.0) == pytest.approx(lower[1])
    assert no_gain(estimate, 1.0) == pytest.approx(upper[1])


def test_critical_values_weigh_the_quantiles_of_seeds_and_items():
    """Cochran and Cox by hand: two strata, complete data."""
    rng = np.random.default_rng(21)
    cubes = [rng.normal(rng.normal(0, 0.5, (1, i)), 0.5, (4, i)) for i in (30, 12)]
    seeds = np.mean([c.mean(axis=1) for c in cubes], axis=0)
    v_seed = seeds.var(ddof=1) / 4
    over_items = [c.mean(axis=0).var(ddof=1) / c.shape[1] / 4 for c in cubes]
    noise = [
        sum((c[s, i] - c[s].mean() - c[:, i].mean() + c.mean()) ** 2
            for s in range(4) for i in range(c.shape[1]))
        / (3 * (c.shape[1] - 1)) / (4 * c.shape[1]) / 4
        for c in cubes
    ]  # fmt: skip
    v_item = sum(over_items) - sum(noise)
    item_df = sum(over_items) ** 2 / (over_items[0] ** 2 / 29 + over_items[1] ** 2 / 11)
    found = two_way(cubes)
    assert v_item > 0
    assert found.item_df == pytest.approx(item_df)
    _, _, df = two_way_batch([c[None] for c in cubes], alpha=(0.05, 0.0125))
    for k, alpha in enumerate((0.05, 0.0125)):
        t3, t_item = scipy_stats.t.isf(alpha, 3), scipy_stats.t.isf(alpha, item_df)
        half = 100 * (v_seed * t3 + v_item * t_item) / math.sqrt(v_seed + v_item)
        low, high = found.interval(alpha)
        assert (high - low) / 2 == pytest.approx(half)
        assert found.se * scipy_stats.t.isf(alpha, found.df_at(alpha)) == pytest.approx(half)
        assert 3 < found.df_at(alpha) < item_df
        assert df[k, 0] == pytest.approx(found.df_at(alpha))
        assert found.p_above(low) == pytest.approx(alpha)
        assert found.p_below(high) == pytest.approx(alpha)
    assert found.df == pytest.approx(found.df_at(0.05))


@settings(max_examples=60, deadline=None)
@given(strata(gaps=True), st.lists(st.floats(-300, 300), min_size=2, max_size=5))
def test_p_values_fall_with_distance_mirror_and_end_where_intervals_do(cubes, thresholds):
    if not complete(cubes):
        return
    found, mirrored = two_way(cubes), two_way([-c for c in cubes])
    if not found.testable or not mirrored.testable:
        return
    above = [found.p_above(t) for t in sorted(thresholds)]
    assert all(0 <= a <= b + 1e-9 for a, b in pairwise(above))
    for t, p in zip(sorted(thresholds), above, strict=True):
        assert found.p_below(t) == pytest.approx(1 - p, abs=1e-9)
        assert mirrored.p_below(-t) == pytest.approx(p, abs=1e-7)
        if 1e-6 < p < 0.5:
            scale = abs(found.value) + abs(t) + found.se
            assert found.interval(p)[0] == pytest.approx(t, abs=1e-6 * scale)


def test_two_seeds_and_far_values_have_p_values():
    rng = np.random.default_rng(22)
    pair = two_way([rng.normal(0.3, 1.0, (2, 200)) + rng.normal(0, 0.5, (1, 200))])
    assert pair.item_variance > 0
    assert scipy_stats.norm.sf(pair.value / pair.se) < pair.p_above() < 0.5
    assert 0 < pair.p_above(-1e9) < 1e-6
    assert pair.p_above(1e9) == pytest.approx(1.0)


def test_unscored_cells_keep_the_estimate_honest():
    rng = np.random.default_rng(13)
    cube = rng.integers(-1, 2, (5, 400)).astype(float)
    holes = np.where(rng.random(cube.shape) < 0.02, np.nan, cube)
    full, gappy = two_way([cube]), two_way([holes])
    assert gappy.n_unscored == int(np.isnan(holes).sum()) > 0
    assert gappy.se == pytest.approx(full.se, rel=0.1)
    assert gappy.value == pytest.approx(full.value, abs=full.se)
    # A gap is not a zero: an all-correct item stays all-correct.
    assert two_way([[[1.0, np.nan], [1.0, 1.0], [1.0, 1.0]]]).value == 100.0


def test_no_variation_is_not_certainty():
    for constant in (0.0, 0.3):
        estimate = two_way([np.full((4, 30), constant)] * 5)
        assert estimate.se == 0
        assert not estimate.testable
        assert estimate.p_above() is None
        assert estimate.interval(0.05) == (None, None)
        assert detectable_effect(estimate.se, estimate.df) is None
    assert paired_t([1.5]).se is None
    one = two_way([np.random.default_rng(1).integers(-1, 2, (1, 50)).astype(float)])
    assert one.single_run
    assert one.se > 0


def test_clusters_change_the_error_and_not_the_estimate():
    rng = np.random.default_rng(14)
    labels = np.repeat(np.arange(100), 3)[:-1]
    cube = np.clip(np.round(rng.normal(0, 0.7, (1, 100))), -1, 1)[:, labels] * np.ones((4, 1))
    cube[1:] *= rng.random((3, labels.size)) < 0.9
    alone, together = two_way([cube]), two_way([cube], clusters=[labels])
    assert together.value == pytest.approx(alone.value)
    assert (together.n_items, together.n_clusters) == (299, 100)
    # Identical answers inside clusters of three: the error grows by about sqrt(3).
    assert 1.4 < together.se / alone.se < 1.8
    own = two_way([cube], clusters=[np.arange(labels.size)])
    close(own, alone)


@pytest.mark.parametrize("sizes", [(5, 7, 20, 60), (1, 2, 9), (4, 4, 4)])
def test_cluster_errors_are_unbiased_with_the_degrees_of_freedom_of_their_quadratic_form(sizes):
    """Recomputed with matrices over single items, whose values agree inside a cluster."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    n = code.size
    agree = (code[:, None] == code[None, :]).astype(float)
    centred = np.eye(n) - np.ones((n, n)) / n
    form = np.zeros((n, n))
    for g in range(len(sizes)):
        part = (code == g) @ centred / n
        # Scaled so that the part's expected square is the cluster's own, (size / n)^2.
        form += np.outer(part, part) * (sizes[g] / n) ** 2 / (part @ agree @ part)
    spread = form @ agree
    df = np.trace(spread) ** 2 / np.trace(spread @ spread)
    assert np.trace(spread) == pytest.approx(agree.sum() / n**2)
    rng = np.random.default_rng(23)
    cube = rng.normal(size=(3, n)) + rng.normal(0, 3, (1, len(sizes)))[:, code]
    item, residual, found_df = item_terms(cube, [f"g{c}" for c in code])
    assert found_df == pytest.approx(df)
    mean = cube.mean(axis=0)
    assert item == pytest.approx(mean @ form @ mean)
    off = cube - mean
    assert residual == pytest.approx(sum(o @ form @ o for o in off) / 6)
    if len(set(sizes)) == 1:
        assert found_df == pytest.approx(len(sizes) - 1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "no stratum"),
        ([np.zeros((3, 0))], "zero items"),
        ([np.zeros((3, 4)), np.zeros((2, 4))], "strata of shapes"),
        ([np.array([[np.inf, 0.0], [0.0, 0.0]])], "infinite"),
    ],
)
def test_two_way_refuses(bad, message):
    with pytest.raises(InputError, match=message):
        two_way(bad)


def test_detectable_effect_reads_as_published_and_inverts_power():
    factors = [detectable_effect(1 / math.sqrt(n), n - 1) for n in (3, 5, 10)]
    assert factors == pytest.approx([2.30, 1.36, 0.85], abs=0.005)
    assert power(detectable_effect(0.4, 5.5), 0.4, 5.5) == pytest.approx(0.8)
    assert power(detectable_effect(0.4, 4, equivalence=True), 0.4, 4, equivalence=True) == (
        pytest.approx(0.8)
    )
    # Power of the paired t by SD of the seed difference, in percent.
    for sd, effect, n, percent in ((1.0, 1, 5, 58), (2.0, 2, 3, 32), (3.0, 4, 10, 98)):
        assert power(effect, sd / math.sqrt(n), n - 1) * 100 == pytest.approx(percent, abs=1.5)


def test_planning_reads_the_quantiles_of_the_test():
    """Power by simulating the test itself, with an item term as large as the seeds'."""
    n = seeds_needed(4.0, 4.0, item_variance=0.8, item_df=400.0)
    rng = np.random.default_rng(25)
    v_seed = 4.0 / n * rng.chisquare(n - 1, 100_000) / (n - 1)
    total = v_seed + 0.8
    bound = (
        v_seed * scipy_stats.t.isf(0.05, n - 1) + 0.8 * scipy_stats.t.isf(0.05, 400)
    ) / np.sqrt(total)
    value = 4.0 + math.sqrt(4.0 / n + 0.8) * rng.standard_normal(100_000)
    assert np.mean(value > bound) > 0.79
    shorter = Estimate(value=4.0, se=math.sqrt(4 / (n - 1) + 0.8), df=1.0, n_seeds=n - 1,
                       item_variance=0.8, item_df=400.0)  # fmt: skip
    assert power(4.0, shorter.se, shorter.df_at(0.05)) < 0.8


def test_seeds_needed_is_the_first_number_with_enough_power():
    n = seeds_needed(1.5**2, 1.0)
    assert power(1.0, 1.5 / math.sqrt(n), n - 1) >= 0.8
    assert power(1.0, 1.5 / math.sqrt(n - 1), n - 2) < 0.8
    assert seeds_needed(1.0, 0.5, item_variance=0.3, item_df=500) is None
    assert seeds_needed(1.0, 5.0, at_least=3) == 3
    assert seeds_needed(0.0, 1.0) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), max_size=8))
def test_holm_equals_statsmodels_and_skips_what_cannot_be_tested(p_values):
    given_p = [p for p in p_values if p is not None]
    theirs = iter(multipletests(given_p, method="holm")[1] if given_p else [])
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert adjusted == (None if p is None else pytest.approx(next(theirs)))


def test_router_information_knows_specialists_from_collapse():
    assert router_information(np.eye(5)) == pytest.approx(1.0)
    assert router_information(np.full((5, 4), 0.25)) == pytest.approx(0.0)
    collapsed = np.tile([1.0, 0.0, 0.0], (5, 1))
    assert (router_information(collapsed), router_entropy(collapsed)) == (0.0, 0.0)
    assert router_entropy(np.full((5, 3), 0.2)) == pytest.approx(1.0)
    rng = np.random.default_rng(15)
    routing = rng.dirichlet(np.ones(5), size=5)
    assert router_information(routing[:, ::-1]) == pytest.approx(router_information(routing))
    for bad in (np.ones((5, 1)), -np.eye(3), np.full((2, 2), np.nan), np.zeros((2, 2))):
        with pytest.raises(InputError, match="routing matrix"):
            router_information(bad)


def test_variance_ratio_finds_a_large_ratio_and_keeps_its_level():
    rng = np.random.default_rng(16)
    rejected = 0
    for _ in range(400):
        multi, single = (
            math.sqrt(0.5) * rng.normal(size=(5, 1)) + math.sqrt(0.5) * rng.normal(size=(5, 5))
            for _ in range(2)
        )
        p = log_variance_ratio(multi, single).p_above()
        rejected += p < 0.05
    assert rejected / 400 < 0.075
    wide = log_variance_ratio(6 * rng.normal(size=(2, 5, 5)), rng.normal(size=(5, 5)))
    assert wide.value > 2
    assert wide.p_above() < 0.05
    flat = rng.normal(size=(4, 3))
    flat[:, 0] = 1.0
    assert log_variance_ratio(flat, rng.normal(size=(4, 3))).n_unscored == 1


def test_run_to_run_ratio_is_a_jackknife_over_seeds():
    rng = np.random.default_rng(24)
    arms = [rng.normal(0, sd, (6, 5, 3)) for sd in (3.0, 2.0, 1.0)]
    noise = [np.full((5, 3), 0.1), np.full((5, 3), 0.2), rng.uniform(0, 0.2, (5, 3))]

    def ratio(seeds):
        v = [np.mean([np.var(a[seeds, d, j], ddof=1) - e[d, j] for d in range(5) for j in range(3)])
             for a, e in zip(arms, noise, strict=True)]  # fmt: skip
        return 0.5 * (0.5 * math.log(v[0]) + 0.5 * math.log(v[1]) - math.log(v[2]))

    without = [ratio([s for s in range(6) if s != k]) for k in range(6)]
    se = math.sqrt(5 / 6 * sum((w - np.mean(without)) ** 2 for w in without))
    variances = [run_variance(a, e) for a, e in zip(arms, noise, strict=True)]
    found = log_ratio(variances[:2], variances[2:], 0.5)
    assert (found.value, found.se) == pytest.approx((ratio(list(range(6))), se))
    assert found.p_above() == pytest.approx(scipy_stats.t.sf(found.value / se, 3))
    assert run_variance(np.ones((4, 2)), 0.5)[0] == -0.5
    assert log_ratio(variances[:1], variances[:1]).se == 0
    with pytest.raises(InputError, match="needs 3 or more"):
        run_variance(arms[0][:2], 0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=6, unique=True), st.integers(0, 99))
def test_contrasts_off_the_line_give_the_residual_variance(fractions, seed):
    if np.ptp(np.log(fractions)) < 0.1:
        return
    values = np.random.default_rng(seed).normal(size=len(fractions))
    contrasts = off_line(fractions) @ values
    assert np.mean(contrasts**2) == pytest.approx(roughness(fractions, values) ** 2, abs=1e-9)


def test_roughness_is_the_residual_error_of_a_line():
    fractions = np.array([0.1, 0.2, 0.5, 0.7, 1.0])
    line = 3 + 2 * np.log(fractions)
    assert roughness(fractions, line) == pytest.approx(0.0, abs=1e-12)
    y = line + np.array([0.1, -0.2, 0.3, -0.1, 0.0])
    fit = scipy_stats.linregress(np.log(fractions), y)
    residual = y - fit.intercept - fit.slope * np.log(fractions)
    assert roughness(fractions, np.stack([y, y]))[1] == pytest.approx(
        math.sqrt((residual**2).sum() / 3)
    )


def test_rank_correlation_permutes_labels_jointly():
    rng = np.random.default_rng(17)
    x, y = [1, 2, 3, 4, 5], [[1, 2, 3, 4, 5], [2, 1, 3, 4, 5]]
    found = spearman(x, y, rng)
    rho = np.mean([scipy_stats.spearmanr(x, row).statistic for row in y])
    assert found.value == pytest.approx(rho)
    # Of 120 joint permutations only the labels that sort both best reach this value.
    assert found.p_above() == pytest.approx(2 / 120)
    assert found.p_above(0.3) is None
    assert found.interval(0.05) == (None, None)
    again = spearman(range(9), rng.normal(size=(2, 9)), np.random.default_rng(1), 500)
    assert 0 < again.p_less <= 1
    with pytest.raises(InputError, match="constant"):
        spearman([1, 1, 1], [[1, 2, 3]], rng)


def test_pictures():
    scores = [[0.0, 0.5, 0.6, 0.7], [0.4, 0.5, 0.6, 1.0]]
    assert interquartile_mean(scores) == pytest.approx(0.55)
    assert performance_profile(scores, [0.45, 0.65]).tolist() == [0.75, 0.25]
