"""Estimands that several studies share: other metrics, several targets, measurements, gaps."""

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
from scipy import stats
from score_world import PLACES, table

from lawcheck.cli.describing import measured
from lawcheck.declare import discovery
from lawcheck.declare.design import (
    Arm,
    Check,
    Contrast,
    Hypothesis,
    Law,
    Measure,
    arm,
    difference,
    plain,
)
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence, MissingScoresError
from lawcheck.judging.pilot import seeds_plan
from lawcheck.judging.verdict import judge

OURS, THEIRS, BASE = (Arm(method=m) for m in ("ours", "theirs", "base"))
ORDER = ("run_id", "arm", "seed", "task", "item_id", "cluster", "metric", "value")


def scores(cells, metric="acc", clusters=()):
    """{(arm, task): (seeds, items) array}, or with a metric as third key. clusters: of items."""
    rows = {name: [] for name in ORDER}
    for (a, task, *named), values in cells.items():
        for (s, k), value in np.ndenumerate(np.array(values, dtype=float, ndmin=2)):
            cluster = clusters[k] if clusters else ""
            row = (f"{a.name}-s{s}", a.name, s, task, f"q{k}", cluster, *(named or [metric]), value)
            for name, cell in zip(ORDER, row, strict=True):
                rows[name].append(cell)
    return table(rows)


def evidence(cells) -> Evidence:
    return Evidence(scores=scores(cells), places=PLACES, law="test")


def test_a_metric_has_its_own_unit_and_the_same_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.gamma(2, 0.4, (4, 30)), rng.gamma(2, 0.5, (4, 30))
    cells = {(OURS, "math"): ours > 0.7, (THEIRS, "math"): theirs > 0.7}
    cells |= {(a, "math", "bits_per_byte"): v for a, v in ((OURS, ours), (THEIRS, theirs))}
    found = estimate(difference([OURS], [THEIRS], "math", "bits_per_byte"), evidence(cells))
    d = ours - theirs
    assert found.unit == "bits per byte"
    assert found.estimate.value == pytest.approx(d.mean())
    v_seed, v_item = d.mean(axis=1).var(ddof=1) / 4, d.mean(axis=0).var(ddof=1) / 30
    rest = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()
    v_rest = (rest**2).sum() / (3 * 29) / (4 * 30)
    assert found.estimate.se**2 == pytest.approx(v_seed + max(v_item - v_rest, 0))
    # The score of items is what it was.
    points = estimate(difference([OURS], [THEIRS], "math"), evidence(cells))
    assert points.unit == "points"
    assert points.estimate.value == pytest.approx(
        100 * ((ours > 0.7) - 1.0 * (theirs > 0.7)).mean()
    )
    with pytest.raises(MissingScoresError, match="needs p_correct of 'math', found none"):
        estimate(difference([OURS], [THEIRS], "math", "p_correct"), evidence(cells))
    with pytest.raises(InputError, match="metric 'loss' is unknown"):
        difference([OURS], [THEIRS], "math", "loss")


def test_a_table_knows_what_each_metric_may_be():
    good = {(OURS, "math"): [[1, 0]], (OURS, "math", "information"): [[-3.5, 40.0]]}
    assert scores(good).cube("ours", "math", (0,), "information").tolist() == [[-3.5, 40.0]]
    # Of some items only, but of the same ones in every run.
    assert scores(good | {(OURS, "math", "p_correct"): [[0.5]]}).item_metric == {"math": "acc"}
    for metric, value, expected in (
        ("p_correct", 1.5, "0 to 1"),
        ("bits_per_byte", -0.1, "a finite number from 0"),
        ("information", np.inf, "a finite number"),
    ):
        said = f"value {value:g} of {metric} of arm 'ours'.*expected {expected}, or empty"
        with pytest.raises(InputError, match=said):
            scores(good | {(OURS, "math", metric): [[value, 0.5]]})
    with pytest.raises(InputError, match="only in one"):
        scores(good | {(OURS, "math", "p_correct"): [[0.5]], (THEIRS, "math"): [[1, 0]],
                       (THEIRS, "math", "p_correct"): [[0.5, 0.5]]})  # fmt: skip
    # No score beside them is needed.
    alone = {(OURS, "math", "information"): [[2.0, 4.0]], (THEIRS, "math", "information"): [[1, 1]]}
    e = estimate(difference([OURS], [THEIRS], "math", "information"), evidence(alone)).estimate
    assert e.value == 2


def test_less_is_better_is_no_bound_on_gains():
    """A large gain in bits per byte lies below any margin."""
    with pytest.raises(InputError, match="no_gain of bits_per_byte, where less is better"):
        Hypothesis(
            name="cap",
            role="primary",
            claim="no gain",
            estimand=difference([OURS], [THEIRS], metric="bits_per_byte"),
            alternative="no_gain",
            margin=0.01,
            sesoi=0.01,
        )


def test_accuracies_beside_likelihoods_are_reported_as_not_read():
    rng = np.random.default_rng(2)
    cells = {
        (a, "math", *more): rng.random((3, 20)) > 0.5
        for a in (OURS, THEIRS)
        for more in ((), ("bits_per_byte",))
    }
    part = Hypothesis(
        name="bits",
        role="primary",
        claim="c",
        estimand=difference([OURS], [THEIRS], "math", "bits_per_byte"),
        alternative="less",
        sesoi=0.01,
    )
    law = Law(name="x", title="x", claim="c", source="s", base=BASE, hypotheses=(part,))
    found = judge(law, scores(cells), tasks=PLACES, quick=True).unused
    assert [(u.kind, u.names, u.rows) for u in found] == [("metrics", ("acc",), 120)]


def test_targets_of_a_tuple_weigh_equally():
    cells = {
        (OURS, "math"): [[1, 1, 1, 0]],
        (OURS, "biology"): [[1, 0]],
        (OURS, "general"): [[1, 1]],
    }
    cells |= {(THEIRS, t): np.zeros_like(v) for (_, t), v in cells.items()}
    both = evidence(cells)
    assert estimate(difference([OURS], [THEIRS], ("math", "general")), both).estimate.value == 87.5
    # The average holds mathematics as well: (75 + 50) / 2 and 75.
    mixed = difference([OURS], [THEIRS], ("average", "math"))
    assert estimate(mixed, both).estimate.value == pytest.approx((62.5 + 75) / 2)
    assert mixed.averages
    assert (
        "average of math, general" in measured(difference([OURS], [BASE], ("math", "general")))[0]
    )
    for wrong in ((), ("math", "math"), ("math", 3)):
        with pytest.raises(InputError, match="contrast: "):
            difference([OURS], [THEIRS], wrong)
    assert "metric" not in plain(difference([OURS], [THEIRS]))


def test_a_measure_is_a_t_over_seeds_against_a_constant():
    ours, theirs = np.array([0.31, 0.36, 0.29, 0.40]), np.array([0.22, 0.30, 0.27, 0.28])
    cells = {(OURS, "d", "mixture_weight"): ours[:, None], (OURS, "math"): np.ones((4, 1))}
    cells |= {(THEIRS, "d", "mixture_weight"): theirs[:, None]}
    one = Measure(metric="mixture_weight", weights=((OURS, 1.0),), target="d", against=0.25)
    found = estimate(one, evidence(cells)).estimate
    assert (found.value, found.df) == (pytest.approx(0.09), 3)
    assert found.p_above() == pytest.approx(
        stats.ttest_1samp(ours, 0.25, alternative="greater").pvalue
    )
    two = dataclasses.replace(one, weights=((OURS, 1.0), (THEIRS, -1.0)), against=0.0)
    assert estimate(two, evidence(cells)).estimate.p_above() == pytest.approx(
        stats.ttest_rel(ours, theirs, alternative="greater").pvalue
    )
    with pytest.raises(InputError, match=r"weights sum to 0\.5"):
        dataclasses.replace(one, weights=((OURS, 0.5),))
    with pytest.raises(InputError, match="contrast: weights sum to 1"):
        Contrast(weights=((OURS, 1.0),))
    # Over items it is the level of an arm, in points.
    level = Measure(metric="accuracy", weights=((OURS, 1.0),), target="math", against=60.0)
    assert estimate(level, evidence(cells)).estimate.value == pytest.approx(40)
    assert measured(level)[1] == "points"


def test_a_floor_stands_for_the_base_where_that_cannot_do_the_task():
    rng = np.random.default_rng(1)
    cells = {(a, "math"): rng.random((5, 400)) < 0.55 for a in (OURS, THEIRS)}
    equal = Hypothesis(
        name="equal",
        role="primary",
        estimand=difference([OURS], [THEIRS], "math"),
        alternative="equivalent",
        claim="equal",
        sesoi=0.0,
        margin=8.0,
        floor=25.0,
    )

    def law(h):
        return Law(name="law", title="", claim="", source="", hypotheses=(h,), base=BASE)

    # No scores of the base are needed.
    part = judge(law(equal), scores(cells), tasks=PLACES).parts[0]
    assert part.outcome == "shown"
    assert [c.passed for c in part.checks] == [True, True]
    assert "25 points" in part.checks[0].claim
    assert part.checks[0].estimate == pytest.approx(100 * cells[OURS, "math"].mean())
    high = dataclasses.replace(equal, floor=60.0)
    assert judge(law(high), scores(cells), tasks=PLACES).parts[0].outcome == "not tested"
    assert "floor" not in plain(dataclasses.replace(equal, floor=None))
    with pytest.raises(InputError, match="floor 25 beside checks, or without a margin"):
        dataclasses.replace(equal, alternative="greater", margin=None)


def test_likelihood_parts_are_judged_sized_and_simulated_in_their_unit():
    rng = np.random.default_rng(2)
    shift = {OURS: -0.02, THEIRS: 0.0}
    item, cells = rng.gamma(4, 0.2, 200), {}
    for a, by in shift.items():
        cells[a, "math"] = rng.random((4, 200)) < 0.5
        cells[a, "math", "bits_per_byte"] = item + by + rng.normal(0, 0.01, (4, 200))
    h = Hypothesis(
        name="surer", role="primary", alternative="less", claim="surer", sesoi=0.01,
        estimand=difference([OURS], [THEIRS], "math", "bits_per_byte"),
    )  # fmt: skip
    law = Law(name="law", title="", claim="", source="", hypotheses=(h,), base=BASE)
    verdict = judge(law, scores(cells), tasks=PLACES)
    (part,) = verdict.parts
    assert (part.outcome, part.unit) == ("shown", "bits per byte")
    assert part.estimate == pytest.approx(-0.02, abs=0.003)
    assert "items" in part.designs
    assert verdict.power[-1].holds > 0.9
    (planned,) = seeds_plan(law, scores(cells))["parts"]
    assert (planned["unit"], planned["effect"]) == ("bits per byte", 0.01)
    assert planned["pilot_sd"] < 0.01
    # What is unscored has no worst value.
    cells[OURS, "math", "bits_per_byte"][0, 0] = np.nan
    (part,) = judge(law, scores(cells), tasks=PLACES).parts
    assert part.outcome == "open"
    assert "has no worst value" in part.notes[-1]


def test_unscored_items_of_one_case_leave_the_whole_claim_open():
    # One task in two clearly better, one barely, with two unscored items that could take it back.
    cells = {(a, t): np.zeros((3, 100)) for a in (OURS, THEIRS) for t in ("math", "biology")}
    for s in range(3):
        cells[OURS, "math"][s, : 60 + s] = 1
        cells[OURS, "biology"][s, : 5 + s] = 1
    h = Hypothesis(
        name="h", role="primary", alternative="greater", claim="", sesoi=1.0,
        estimand=difference([OURS], [THEIRS], ("math", "biology")),
        conjuncts=tuple((t, difference([OURS], [THEIRS], t)) for t in ("math", "biology")),
    )  # fmt: skip
    law = Law(name="law", title="", claim="", source="", hypotheses=(h,), base=BASE)
    assert judge(law, scores(cells), tasks=PLACES).parts[0].outcome == "shown"
    cells[THEIRS, "biology"][:, 90:] = np.nan
    (part,) = judge(law, scores(cells), tasks=PLACES).parts
    assert part.worst[0] > 20
    assert part.outcome == "open"
    assert any("unscored items could tip it" in note for note in part.notes)


def merges():
    ends = [arm("lora", base="default", variant=f"p{k}") for k in range(5)]
    pairs = ((0, 1), (0, 2), (0, 3), (0, 4))
    return ends, [arm("soup", parents=(ends[i], ends[k])) for i, k in pairs]


def test_a_gap_between_parents_shares_no_item_with_the_score():
    ends, merged = merges()
    estimand = RankCorrelation(groups=(tuple(merged),), x="parent_gap", y="math")
    assert set(estimand.arms) == {*ends, *merged}
    odd = np.array([hashlib.sha256(f"q{k}".encode()).digest()[0] & 1 for k in range(400)], bool)
    cells = {}
    for k, a in enumerate(ends):
        # What odd items say of parents must not matter.
        right = np.where(odd, k % 2, np.arange(400) % 10 < 9 - k)
        cells[a, "math"] = np.stack([right] * 2)
    for k, a in enumerate(merged):
        right = np.where(odd, np.arange(400) % 10 < 2 * k, 1 - k % 2)
        cells[a, "math"] = np.stack([right] * 2)
    found = estimate(estimand, evidence(cells)).estimate
    # Gaps grow and so do scores: the highest of 24 orders.
    assert found.value == pytest.approx(1)
    assert found.p_above() == pytest.approx(1 / 24)
    with pytest.raises(InputError, match="has 0 parents, a parent_gap needs 2"):
        RankCorrelation(groups=(tuple(ends),), x="parent_gap")


def test_a_cluster_lies_on_one_side_of_the_split_and_an_unscored_side_gives_no_estimate():
    ends, merged = merges()
    estimand = RankCorrelation(groups=(tuple(merged),), x="parent_gap", y="math")
    clusters = [f"c{k // 5}" for k in range(400)]
    odd = [hashlib.sha256(f"in {c}".encode()).digest()[0] & 1 for c in clusters]
    odd = np.array(odd, bool)
    cells = {(a, "math"): np.where(odd, k % 2, np.arange(400) % 10 < 9 - k)[None] for k, a in
             enumerate(ends)}  # fmt: skip
    for k, a in enumerate(merged):
        cells[a, "math"] = np.where(odd, np.arange(400) % 10 < 9 - 2 * k, k % 2)[None]
    given = Evidence(scores=scores(cells, clusters=clusters), places=PLACES, law="test")
    assert estimate(estimand, given).estimate.value == pytest.approx(-1)
    # One arm without an item of the half that is read: no correlation, and no p of 0.
    cells[merged[2], "math"] = np.where(odd, np.nan, 1.0)[None]
    given = Evidence(scores=scores(cells, clusters=clusters), places=PLACES, law="test")
    found = estimate(estimand, given)
    assert np.isnan(found.estimate.value)
    assert (found.estimate.p_above(), found.estimate.p_below()) == (None, None)
    assert "has no scored item in its half" in found.notes[-1]


def test_targets_of_a_tuple_weigh_equally_in_a_rank_correlation():
    arms = [arm("lora", base="default", variant=f"v{k}") for k in range(3)]
    # By targets: 45, 50, 55; by disciplines, of which the average has two: 60, 57, 53.
    level = {"math": (9, 7, 5), "biology": (9, 7, 5), "general": (0, 3, 6)}
    cells = {
        (a, task): (np.arange(10) < values[k])[None]
        for task, values in level.items()
        for k, a in enumerate(arms)
    }
    for k, a in enumerate(arms):
        cells[a, "mixture", "divergence"] = [[k / 10]]
    estimand = RankCorrelation(groups=(tuple(arms),), x="divergence", y=("average", "general"))
    assert estimate(estimand, evidence(cells)).estimate.value == pytest.approx(1)


def test_a_bound_asks_for_more_learning_than_it_allows_to_lose():
    bounded = [
        h
        for name, law in discovery.laws().items()
        if getattr(discovery.study_of(name), "name", "")
        in ("merging", "versatune", "real_model", "real_mixtures")
        for h in law.hypotheses
        if h.margin is not None
    ]
    assert len(bounded) == 7
    for h in bounded:
        assays = [c for c in h.checks if c.kind == "assay" and c.above >= h.margin]
        assert assays, h.name
        assert all(c.estimand.unit == h.estimand.unit for c in assays)


def test_a_number_that_is_the_same_in_every_run_passes_a_check():
    cells = {(OURS, "merge", "arc_share"): np.full((3, 1), 0.9)}
    cells |= {
        (a, "math"): np.tile(np.arange(40) < n, (3, 1)) for a, n in ((OURS, 30), (THEIRS, 20))
    }
    arcs = Measure(metric="arc_share", weights=((OURS, 1.0),), target="merge")
    passed = []
    for above in (0.5, 0.9):
        check = Check(name="arcs", kind="manipulation", claim="", estimand=arcs, above=above)
        h = Hypothesis(
            name="h", role="primary", alternative="greater", claim="", sesoi=1.0,
            estimand=difference([OURS], [THEIRS], "math"), checks=(check,),
        )  # fmt: skip
        law = Law(name="law", title="", claim="", source="", hypotheses=(h,), base=BASE)
        passed.append(judge(law, scores(cells), tasks=PLACES).parts[0].checks[0].passed)
    assert passed == [True, False]


def test_divergences_differ_from_base_to_base_and_are_permuted_jointly():
    groups = [tuple(arm("lora", base=b, variant=f"v{k}") for k in range(4)) for b in ("a", "b")]
    x, y = (
        np.array([[0.1, 0.4, 0.2, 0.3], [0.7, 0.5, 0.9, 0.8]]),
        np.array([[5, 1, 3, 2], [4, 6, 1, 2]]),
    )
    cells = {}
    for g, k in itertools.product(range(2), range(4)):
        a = groups[g][k]
        cells[a, "mixture", "divergence"] = [[x[g, k] - 0.01], [x[g, k] + 0.01]]
        cells[a, "math"] = np.tile(np.arange(10) < y[g, k], (2, 1))
    estimand = RankCorrelation(groups=tuple(groups), x="divergence", y="math")
    found = estimate(estimand, evidence(cells)).estimate

    def statistic(order):
        return np.mean([stats.spearmanr(x[g][list(order)], y[g]).statistic for g in range(2)])

    every = [statistic(o) for o in itertools.permutations(range(4))]
    seen = statistic(range(4))
    assert found.value == pytest.approx(seen)
    assert found.p_below() == pytest.approx(np.mean(np.array(every) <= seen + 1e-9))
    # A third seed that one arm lacks is read of no arm.
    wild = cells | {(groups[0][0], "mixture", "divergence"): [[0.09], [0.11], [9.0]]}
    wild[groups[0][0], "math"] = np.tile(np.arange(10) < 5, (3, 1))
    assert estimate(estimand, evidence(wild)).estimate.value == pytest.approx(seen)
    cells.pop((groups[1][0], "mixture", "divergence"))
    with pytest.raises(MissingScoresError, match="needs the divergence of arm"):
        estimate(estimand, evidence(cells))
