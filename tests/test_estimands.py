"""Estimands over curves, seeds and mixtures: what they estimate, and how often they are wrong."""

import dataclasses
import math

import numpy as np
import pytest
from score_world import PLACES, SCIENCE, columns, table

from lawcheck.declare import discovery
from lawcheck.declare.design import Check, Hypothesis, Law, Recipe, difference, plain
from lawcheck.declare.estimands import RankCorrelation, RoughnessRatio, SeedSpread
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence, MissingScoresError
from lawcheck.judging.stats import paired_t, roughness
from lawcheck.judging.verdict import judge
from lawcheck.scores import DISTINCT
from lawcheck.studies.discipline_laws.arms import BASE, discipline_lora, lora, lora_moe

FRACTIONS = (0.1, 0.2, 0.5, 0.7, 1.0)
MIXED = tuple(lora(Recipe(fraction=f)) for f in FRACTIONS)
ALONE = tuple(discipline_lora(f) for f in FRACTIONS)
MOE = tuple(lora_moe("plain", Recipe(fraction=f)) for f in FRACTIONS)


def evidence(rows) -> Evidence:
    return Evidence(scores=table(rows), places=PLACES, law="test")


def curve_rows(scatter: dict, seeds: int = 4, items: int = 4000, seed: int = 0):
    """Accuracies on a line in log fraction, each curve with its own scatter around it."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list] = {}
    for curve, sd in scatter.items():
        for arm in curve:
            line = 0.6 + 0.05 * math.log(arm.recipe.fraction)
            for s in range(seeds):
                for task in SCIENCE:
                    level = float(np.clip(line + rng.normal(0, sd), 0.02, 0.98))
                    right = np.arange(items) < round(level * items)
                    for k, value in enumerate(right):
                        row = (f"{arm.name}-s{s}", arm.name, s, task, f"q{k}", "", "acc")
                        for name, cell in zip(ORDER, (*row, float(value)), strict=True):
                            rows.setdefault(name, []).append(cell)
    return rows


ORDER = ("run_id", "arm", "seed", "task", "item_id", "cluster", "metric", "value")


def test_roughness_ratio_finds_the_ratio_of_scatters_and_not_of_slopes():
    rows = curve_rows({MIXED: 0.06, ALONE: 0.02}, seeds=6, items=500)
    found = estimate(RoughnessRatio(treatments=(MIXED,), controls=(ALONE,)), evidence(rows))
    assert found.estimate.n_seeds == 6
    assert found.estimate.value == pytest.approx(math.log(3), abs=0.35)
    assert found.estimate.p_above() < 0.01


@pytest.mark.parametrize(
    "estimand",
    [
        RoughnessRatio(treatments=(MIXED,), controls=(ALONE,)),
        SeedSpread(treatments=MIXED[-1:], controls=ALONE[-1:]),
        RankCorrelation(groups=(MIXED, ALONE), x="math", y="average"),
    ],
)
def test_scores_that_never_vary_leave_a_part_without_an_estimate(estimand):
    rows = curve_rows({MIXED: 0, ALONE: 0}, items=20)
    rows["value"] = [float(item == "q0") for item in rows["item_id"]]
    found = estimate(estimand, evidence(rows))
    assert math.isnan(found.estimate.value)
    assert found.estimate.se is None
    assert found.notes[-1].startswith("no estimate: ")
    claim = difference(MIXED[-1:], ALONE[-1:])
    check = Check(name="varies", kind="manipulation", claim="scores vary", estimand=estimand)
    for tested, checks, outcome in (
        (estimand, (), "INCONCLUSIVE"),
        (claim, (check,), "NOT TESTED"),
    ):
        given = {"estimand": tested, "checks": checks}
        h = Hypothesis(name="h", role="primary", claim="c", alternative="greater", sesoi=1, **given)
        law = Law(name="l", title="L", claim="c", source="s", base=BASE, hypotheses=(h,))
        assert judge(law, table(rows), tasks=PLACES).outcome == outcome


def test_roughness_ratio_may_compare_disciplines_of_the_same_arms():
    rows = curve_rows({MIXED: 0.03}, seeds=4, items=300)
    e = RoughnessRatio(
        treatments=(MIXED,),
        controls=(MIXED,),
        disciplines=("biology",),
        control_disciplines=("chemistry", "math"),
    )
    assert abs(estimate(e, evidence(rows)).estimate.value) < 1.0
    same = dataclasses.replace(e, control_disciplines=("biology",))
    assert estimate(same, evidence(rows)).estimate.value == 0
    with pytest.raises(MissingScoresError, match="needs discipline 'physics'"):
        estimate(dataclasses.replace(e, disciplines=("physics",)), evidence(rows))


def test_level_of_the_roughness_test_with_unequal_numbers_of_curves():
    """5 seeds, 5 disciplines, two curves against one, equal scatter: about 5 % at 5 %."""
    rng = np.random.default_rng(1)

    def logs(curves: int, repetitions: int) -> np.ndarray:
        y = rng.normal(size=(repetitions, 5, curves, 5, len(FRACTIONS)))
        return np.log((roughness(FRACTIONS, y) ** 2).mean(axis=-1)).mean(axis=-1)

    ratio = 0.5 * (logs(2, 2000) - logs(1, 2000))
    rejected = np.mean([paired_t(r).p_above() < 0.05 for r in ratio])
    assert 0.03 < rejected < 0.07


def test_a_curve_needs_three_fractions():
    with pytest.raises(InputError, match="3 or more"):
        RoughnessRatio(treatments=(MIXED[:2],), controls=(ALONE,))


def test_seed_spread_sees_more_variance_and_counts_arms_once():
    arms = {MIXED[-1]: 0.05, MOE[-1]: 0.05, ALONE[-1]: 0.005}
    parts = [
        columns({a: 0.6}, 8, 2000, SCIENCE, sd, rng_seed=k)
        for k, (a, sd) in enumerate(arms.items())
    ]
    rows = {c: [v for p in parts for v in p[c]] for c in parts[0]}
    spread = SeedSpread(treatments=(MIXED[-1], MOE[-1]), controls=(ALONE[-1],))
    found = estimate(spread, evidence(rows)).estimate
    assert found.value > 1
    assert found.p_above() < 0.05
    reverse = SeedSpread(treatments=(ALONE[-1],), controls=(MIXED[-1], MOE[-1]))
    assert estimate(reverse, evidence(rows)).estimate.value == pytest.approx(-found.value)


def rough_rows(arms: dict, seeds: int = 8, items: int = 400, bend: float = 0.0):
    """Drawn answers on curves that bend alike in all seeds and scatter from run to run."""
    rng = np.random.default_rng(5)
    rows: dict[str, list] = {name: [] for name in ORDER}
    for arm, sd in arms.items():
        x = math.log(arm.recipe.fraction) if arm.recipe else 0.0
        for s in range(seeds):
            for task in SCIENCE:
                level = 0.6 + 0.03 * x + bend * x**2 + rng.normal(0, sd)
                right = rng.random(items) < level
                for k, value in enumerate(right):
                    row = (f"{arm.name}-s{s}", arm.name, s, task, f"q{k}", "", "acc", float(value))
                    for name, cell in zip(ORDER, row, strict=True):
                        rows[name].append(cell)
    return rows


def test_run_to_run_roughness_forgets_items_and_curves_that_all_seeds_share():
    ratio = RoughnessRatio(treatments=(MIXED,), controls=(ALONE,), components=True)
    scatter = dict.fromkeys(MIXED, 0.09) | dict.fromkeys(ALONE, 0.045)
    plain_curve, bent = (
        estimate(ratio, evidence(rough_rows(scatter, bend=bend))).estimate for bend in (0.0, 0.05)
    )
    for found in (plain_curve, bent):
        assert found.value == pytest.approx(math.log(2), abs=0.25)
        assert found.p_above() < 0.05
    # Runs that differ by their answers alone.
    coarse = dict.fromkeys((*MIXED, *ALONE), 0.0)
    nothing = estimate(ratio, evidence(rough_rows(coarse, seeds=4, items=20)))
    assert math.isnan(nothing.estimate.value)
    assert nothing.estimate.se is None
    assert "items explain" in nothing.notes[-1]
    few = estimate(ratio, evidence(rough_rows(scatter, seeds=2, items=20)))
    assert math.isnan(few.estimate.value)
    assert "need 3" in few.notes[-1]


def test_spread_over_the_own_base_ignores_how_bases_differ():
    rows = columns({MIXED[-1]: 0.5, ALONE[-1]: 0.5, BASE: 0.5}, 8, 500, SCIENCE, 0.03)
    values = np.array(rows["value"], dtype=float)
    spread = SeedSpread(treatments=(MIXED[-1],), controls=(ALONE[-1],), base=BASE)
    assert spread.arms == (MIXED[-1], ALONE[-1], BASE)
    rows["value"] = (values / 2).tolist()
    before = estimate(spread, evidence(rows)).estimate
    # A seed's own shift, the same in every arm.
    rows["value"] = (values / 2 + 0.05 * np.array(rows["seed"])).tolist()
    after = estimate(spread, evidence(rows)).estimate
    assert after.value == pytest.approx(before.value)
    assert after.se == pytest.approx(before.se)
    rows["value"] = [0.5] * values.size
    assert "items explain 0" in estimate(spread, evidence(rows)).notes[-1]


def test_a_spread_of_one_seed_names_the_seed_and_what_it_needs():
    spread = SeedSpread(treatments=MIXED[-1:], controls=ALONE[-1:])
    one = columns(dict.fromkeys(spread.arms, 0.6), n_seeds=1, n_items=20)
    with pytest.raises(MissingScoresError, match=r"needs 2 or more .* found seed 0 alone; train"):
        estimate(spread, evidence(one))


def test_estimands_declared_before_run_to_run_variances_keep_their_identity():
    before = RoughnessRatio(treatments=(MIXED,), controls=(ALONE,))
    assert "components" not in plain(before)
    assert plain(dataclasses.replace(before, components=True))["components"] is True
    spread = SeedSpread(treatments=MIXED[-1:], controls=ALONE[-1:])
    assert "base" not in plain(spread)
    assert "base" in plain(dataclasses.replace(spread, base=BASE))


def with_diversity(rows, shares):
    for arm, share in shares.items():
        for seed in sorted(set(rows["seed"])):
            row = (f"{arm.name}-s{seed}", arm.name, seed, "mixture", "train", "", DISTINCT, share)
            for name, cell in zip(ORDER, row, strict=True):
                rows[name].append(cell)
    return rows


def link():
    law = discovery.law("balance_then_diversity")
    return next(h.estimand for h in law.hypotheses if h.name == "link")


def test_rank_correlation_with_diversity_is_tested_over_mixtures():
    groups = link().groups
    level = {a: 0.5 + 0.05 * k for group in groups for k, a in enumerate(group)}
    share = {a: 0.9 - 0.1 * k for group in groups for k, a in enumerate(group)}
    rows = with_diversity(columns(level, 3, 400, SCIENCE, 0.001), share)
    found = estimate(link(), evidence(rows)).estimate
    assert found.value == pytest.approx(-1)
    # Five mixtures have 120 orders, whatever the number of seeds and methods.
    assert found.p_below() == pytest.approx(1 / 120)
    assert found.n_seeds == 3


def test_a_mixture_has_one_diversity_and_must_have_it():
    groups = link().groups
    level = {a: 0.5 for group in groups for a in group}
    rows = columns(level, 2, 50, SCIENCE)
    with pytest.raises(MissingScoresError, match="n-gram diversity"):
        estimate(link(), evidence(rows))
    share = {a: 0.5 + 0.01 * g for g, group in enumerate(groups) for a in group}
    with pytest.raises(InputError, match="differ in n-gram diversity"):
        estimate(link(), evidence(with_diversity(rows, share)))


def test_rank_correlation_of_two_targets():
    law = discovery.law("merge_then_align")
    estimand = next(h.estimand for h in law.hypotheses if isinstance(h.estimand, RankCorrelation))
    level = {a: 0.4 + 0.02 * k for k, a in enumerate(estimand.arms)}
    found = estimate(estimand, evidence(columns(level, 2, 1500))).estimate
    assert found.value > 0.9
    assert found.p_above() < 0.01


def test_parts_that_need_pretrained_families_are_not_tested_without_them():
    law = discovery.law("base_model")
    level = {a: 0.7 if a.recipe else 0.5 for a in law.arms}
    scores = table(columns(level, 3, 200, SCIENCE))
    built = judge(law, scores, tasks=PLACES, pretrained=False)
    assert {p.name: p.outcome for p in built.parts} == {
        "gain": "shown",
        "starts_ahead": "not tested",
        "gains_most": "not tested",
    }
    assert all(any("not in pretraining" in n for n in p.notes) for p in built.parts[1:])
    assert built.outcome == "NOT TESTED"
    # All families start alike: with pretrained ones that counts against the law.
    there = judge(law, scores, tasks=PLACES)
    assert not any(p.outcome == "not tested" for p in there.parts)
    assert there.outcome != "HOLDS"
