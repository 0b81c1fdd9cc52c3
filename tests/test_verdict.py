"""Every way a part and a law can come out, on scores whose truth is known."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
from scipy import stats
from score_world import PLACES, SCIENCE, columns, levels, table

from lawcheck.declare.design import (
    Arm,
    Contrast,
    Cost,
    Estimand,
    Hypothesis,
    Law,
    RelativeGain,
    RouterInformation,
    Unused,
    Without,
    difference,
    pooled,
    reaches,
)
from lawcheck.declare.estimands import SeedSpread
from lawcheck.errors import InputError
from lawcheck.judging.estimators import Finding, estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.stats import Estimate
from lawcheck.judging.verdict import design_digest, judge
from lawcheck.judging.verdict_forms import exit_code, read_verdict, text, verdict_json
from lawcheck.studies.discipline_laws.laws.share_then_specialize import LAW as SHARE
from lawcheck.studies.discipline_laws.laws.share_then_specialize import (
    PLAIN,
    SHARED_A,
    SHARED_EXPERT,
)

BASE, A, B, C = (Arm(method=m) for m in ("base", "a", "b", "c"))


def part(name: str = "gain", alternative: str = "greater", **changes) -> Hypothesis:
    given = {
        "name": name,
        "role": "primary",
        "claim": name,
        "estimand": difference([A], [B]),
        "alternative": alternative,
        "sesoi": 1.0,
        "margin": 3.0 if alternative in ("no_gain", "equivalent") else None,
    }
    return Hypothesis(**given | changes)


def law(*hypotheses: Hypothesis) -> Law:
    return Law(name="test", title="T", claim="A beats B.", source="none", hypotheses=hypotheses)


@functools.cache
def scores_of(a: float, b: float, base: float, c: float, n_seeds: int, n_items: int):
    level = {BASE: base, A: a, B: b, C: c}
    return table(columns(level, n_seeds, n_items, tasks=SCIENCE, rng_seed=3))


def judged(hypotheses, a=0.6, b=0.6, base=0.4, c=0.6, n_seeds=6, n_items=1500, **options):
    scores = scores_of(a, b, base, c, n_seeds, n_items)
    return judge(law(*hypotheses), scores, tasks=PLACES, **options)


@pytest.mark.parametrize(
    ("hypothesis", "levels_", "outcome", "verdict", "code"),
    [
        (part(), {"a": 0.66}, "shown", "HOLDS", 0),
        (part(), {"a": 0.54}, "reversed", "CONTRADICTED", 4),
        (part(sesoi=4.0), {}, "negligible", "CONTRADICTED", 4),
        (part(sesoi=0.1), {}, "open", "INCONCLUSIVE", 3),
        (part(alternative="less"), {"a": 0.54}, "shown", "HOLDS", 0),
        (part(alternative="less"), {"a": 0.66}, "reversed", "CONTRADICTED", 4),
        (part(alternative="less", sesoi=4.0), {}, "negligible", "CONTRADICTED", 4),
        (part(alternative="no_gain"), {}, "shown", "HOLDS", 0),
        (part(alternative="no_gain"), {"a": 0.5, "b": 0.6}, "shown", "HOLDS", 0),
        (part(alternative="no_gain"), {"a": 0.70}, "reversed", "CONTRADICTED", 4),
        (part(alternative="equivalent"), {}, "shown", "HOLDS", 0),
        (part(alternative="equivalent"), {"a": 0.5, "b": 0.6}, "reversed", "CONTRADICTED", 4),
        # Both arms as weak as the base: they agree, and it proves nothing.
        (part(alternative="equivalent"), {"base": 0.6}, "not tested", "NOT TESTED", 3),
        (part(alternative="no_gain"), {"base": 0.6}, "not tested", "NOT TESTED", 3),
    ],
)
def test_every_outcome(hypothesis, levels_, outcome, verdict, code):
    found = judged([hypothesis], **levels_)
    assert (found.parts[0].outcome, found.outcome) == (outcome, verdict)
    assert exit_code(found) == code
    assert f"test: {verdict}" in text(found)
    if levels_.get("base") == 0.6:
        assert any("not passed: assay: a beats base" in n for n in found.parts[0].notes)


def test_law_needs_every_primary_part_and_no_secondary_one():
    good, bad = part(), part("other", estimand=difference([A], [C]))
    both = judged([good, dataclasses.replace(bad, sesoi=0.1)], a=0.66, c=0.66)
    assert [p.outcome for p in both.parts] == ["shown", "open"]
    assert both.outcome == "INCONCLUSIVE"
    secondary = dataclasses.replace(bad, role="secondary")
    assert judged([good, secondary], a=0.66, c=0.72).outcome == "HOLDS"
    assert judged([good, bad], a=0.66, c=0.72).outcome == "CONTRADICTED"


def test_holm_guards_contradiction_and_secondary_parts_but_not_shown_primaries():
    parts = [part(f"p{k}", role=r) for k, r in enumerate(("primary", "secondary", "secondary"))]
    found = judged(parts, a=0.605, n_items=300).parts
    assert found[0].holm == found[0].p
    assert found[1].holm == pytest.approx(min(1.0, 2 * found[1].p))
    assert found[1].holm_opposite == pytest.approx(min(1.0, 2 * found[1].p_opposite))


def test_two_looks_share_alpha():
    once, twice = judged([part()]), judged([part()], looks=2)
    assert once.parts[0].alpha == 0.05
    # Pocock's constant for two looks (Jennison and Turnbull 2000, table 2.1).
    assert twice.parts[0].alpha == pytest.approx(stats.norm.sf(1.875), rel=0.003)
    assert twice.parts[0].high > once.parts[0].high
    assert "2 looks" in twice.notes[0]


def test_few_seeds_leave_a_part_open_and_one_run_never_holds():
    two = judged([part()], a=0.8, n_seeds=2)
    assert (two.parts[0].outcome, two.outcome) == ("open", "INCONCLUSIVE")
    assert "needs 3 seeds, found 2; run: snakemake --profile local" in two.parts[0].notes[-1]
    for few in (3, 1):
        one = judged([part(min_seeds=few)], a=0.8, n_seeds=1)
        assert (one.parts[0].outcome, one.outcome) == ("open", "INCONCLUSIVE")
        assert one.parts[0].low > 0
        assert any("single run" in n for n in one.parts[0].notes)


def test_identical_arms_stay_open_with_a_note():
    rows = columns({BASE: 0.4, A: 0.6}, 4, 50, tasks=SCIENCE)
    twin = [k for k, a in enumerate(rows["arm"]) if a == "a"]
    for c in rows:
        rows[c] += ["b" if c == "arm" else rows[c][k] for k in twin]
    found = judge(law(part(alternative="equivalent")), table(rows), tasks=PLACES)
    assert (found.parts[0].estimate, found.parts[0].outcome) == (0.0, "open")
    assert any("no variation" in n for n in found.parts[0].notes)
    assert found.outcome == "INCONCLUSIVE"


def rows_where(rows: dict, keep) -> dict:
    kept = [
        k for k in range(len(rows["arm"])) if keep(*(rows[c][k] for c in ("arm", "seed", "task")))
    ]
    return {c: [v[k] for k in kept] for c, v in rows.items()}


def test_missing_seeds_are_left_out_and_said():
    rows = columns({BASE: 0.4, A: 0.6, B: 0.6}, 5, 60, tasks=SCIENCE)
    some = rows_where(rows, lambda a, s, t: (a, s) != ("b", 3))
    found = judge(law(part()), table(some), tasks=PLACES).parts[0]
    assert found.n_seeds == 4
    assert "seeds 3 left out: not scored in every arm (arm 'b' has no seed 3)" in found.notes
    whole = rows_where(rows, lambda a, s, t: s != 3)
    again = judge(law(part()), table(whole), tasks=PLACES).parts[0]
    assert (again.estimate, again.se) == (found.estimate, found.se)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda a, s, t: a != "b", "hypothesis 'gain' needs arm 'b', found no scores.*law_test"),
        (lambda a, s, t: a != "b" or t != "math", "'b', found no seed with scores of math"),
        (lambda a, s, t: s == (0 if a == "b" else 1), r"same seeds in every arm, found \[1\]"),
    ],
)
def test_missing_arms_name_themselves_and_the_command(keep, message):
    rows = columns({BASE: 0.4, A: 0.6, B: 0.6}, 3, 20, tasks=SCIENCE)
    with pytest.raises(InputError, match=message) as caught:
        judge(law(part()), table(rows_where(rows, keep)), tasks=PLACES)
    assert "\n" not in str(caught.value)


def test_a_discipline_nobody_scored_is_said():
    rows = columns({A: 0.6, B: 0.6}, 3, 60, tasks=SCIENCE[1:])
    found = judge(law(part()), table(rows), tasks=PLACES, leave_out=("biology",))
    assert "mean of 4 of 5 disciplines; no scores of biology" in found.parts[0].notes
    assert found.without == (Without(discipline="biology", parts=()),)


def test_unplaced_task_unknown_target_and_wrong_kinds():
    rows = columns({A: 0.6, B: 0.6}, 3, 20, tasks=("math", "maths"))
    with pytest.raises(InputError, match=r"'maths' belongs to no discipline.*math"):
        judge(law(part()), table(rows), tasks=PLACES)
    good = table(columns({A: 0.6, B: 0.6}, 3, 20, tasks=("math",)))
    aim = part(estimand=Contrast(weights=((A, 1.0), (B, -1.0)), target="mathh"))
    with pytest.raises(InputError, match=r"unknown target 'mathh' .*math"):
        judge(law(aim), good, tasks=PLACES)
    with pytest.raises(InputError, match="'below' goes with counted estimands"):
        judge(law(part(alternative="below")), good, tasks=PLACES)
    with pytest.raises(InputError, match="needs planned costs"):
        judge(law(part(alternative="below", estimand=Cost(arm=A, reference=B))), good, tasks=PLACES)
    router = part(estimand=RouterInformation(weights=((A, 1.0), (B, -1.0))))
    with pytest.raises(InputError, match="needs routing probabilities"):
        judge(law(router), good, tasks=PLACES)
    with pytest.raises(InputError, match="looks: found '0'"):
        judge(law(part()), good, tasks=PLACES, looks=0)


def test_unscored_items_and_diverged_runs_are_counted():
    rows = columns({BASE: 0.4, A: 0.6, B: 0.6}, 4, 60, tasks=SCIENCE)
    blank = [k for k, a in enumerate(rows["arm"]) if a == "a"][:7]
    for k in blank:
        rows["value"][k] = math.nan
    for c, v in zip(rows, ("a-s2", "a", 2, "train", "", "", "diverged", 1.0), strict=True):
        rows[c].append(v)
    found = judge(law(part()), table(rows), tasks=PLACES).parts[0]
    assert (found.n_unscored, found.n_diverged, found.n_items) == (7, 1, 300)
    assert "1 diverged runs among the arms compared" in found.notes
    gone = [math.nan if a == "a" else v for a, v in zip(rows["arm"], rows["value"], strict=True)]
    with pytest.raises(InputError, match=r"'gain': no seed has a scored item.*law_test"):
        judge(law(part()), table({**rows, "value": gone}), tasks=PLACES)


def test_seeds_that_share_a_base_count_once():
    bases = {s: f"base{s // 2}" for s in range(6)}
    apart, shared = judged([part()], a=0.62), judged([part()], a=0.62, bases=bases)
    assert (apart.parts[0].n_seeds, shared.parts[0].n_seeds) == (6, 3)
    assert "6 seeds on 3 bases: clustered by base" in shared.parts[0].notes
    assert shared.parts[0].estimate == pytest.approx(apart.parts[0].estimate)
    one = judged([part()], a=0.62, bases=dict.fromkeys(range(6), "only"))
    assert (one.parts[0].n_seeds, one.parts[0].se) == (6, apart.parts[0].se)
    assert any("speaks of that base only" in n for n in one.parts[0].notes)
    with pytest.raises(InputError, match="no base model is named for seed 5"):
        judged([part()], bases=dict.fromkeys(range(5), "x"))


def test_cost_is_counted_and_compared_as_it_stands():
    def cost(arm: Arm, quantity: str, scale: str) -> float:
        assert scale == "paper"
        return {("a", "trainable_share"): 1.0, ("a", "gpu_hours"): 90.0}.get(
            (arm.method, quantity), 100.0
        )

    cheaper = part(alternative="below", estimand=Cost(arm=A, reference=B))
    found = judged([cheaper], cost=cost)
    assert (found.outcome, found.n_seeds) == ("HOLDS", 0)
    assert found.parts[0].estimate == pytest.approx(-10.0)
    assert "gpu_hours binds" in found.parts[0].notes[0]
    dearer = dataclasses.replace(cheaper, estimand=Cost(arm=B, reference=A))
    assert judged([dearer], cost=cost).outcome == "CONTRADICTED"


def test_relative_gain_is_per_seed_in_percent():
    rows = columns({A: 0.66, B: 0.6}, 4, 300, tasks=SCIENCE)
    gain = part(estimand=RelativeGain(arm=A, reference=B))
    scores = table(rows)
    found = judge(law(gain), scores, tasks=PLACES, leave_out=("biology", "math"))
    level = {a: np.array([scores.cube(a, t, range(4)).mean(axis=1) for t in SCIENCE]) for a in "ab"}
    expected = 100 * (level["a"] / level["b"] - 1).mean(axis=0)
    assert found.parts[0].estimate == pytest.approx(expected.mean())
    assert found.parts[0].se == pytest.approx(expected.std(ddof=1) / 2)
    for left in found.without:
        kept = [k for k, t in enumerate(SCIENCE) if t != left.discipline]
        each = [100 * (level["a"][k] / level["b"][k] - 1) for k in kept]
        (again,) = left.parts
        assert again.name == "gain"
        assert again.estimate == pytest.approx(np.mean(each))
    rows["value"] = [
        0.0 if a == "b" else v for a, v in zip(rows["arm"], rows["value"], strict=True)
    ]
    undefined = judge(law(gain), table(rows), tasks=PLACES)
    assert (undefined.outcome, undefined.parts[0].outcome) == ("INCONCLUSIVE", "open")
    assert undefined.parts[0].estimate is None
    assert "b scores 0 on biology with seed 0" in undefined.parts[0].notes[0]
    assert verdict_json(undefined)


def share_scores(others: float = 0.3, **changes):
    level = levels(SHARE) | dict.fromkeys(SHARED_A, 0.66)
    sharp = dict.fromkeys(SHARED_A, 0.6) | dict.fromkeys((*SHARED_EXPERT, *PLAIN), others)
    return columns(level, 5, 200, sharpness=sharp, **changes)


def share_judge(rows, **options):
    return judge(
        SHARE,
        table(rows),
        tasks=PLACES,
        scale="proxy",
        cost=lambda arm, quantity, scale: 1.0 if arm.method == "full" else 0.1,
        **options,
    )


def test_the_share_law_on_synthetic_scores():
    rows = share_scores()
    found = share_judge(rows, preregistered=True, leave_out=("biology", "math"))
    outcome = {p.name: p.outcome for p in found.parts}
    for name in ("share", "not_mere_sharing", "specialise", "cost", "specialise_over_plain"):
        assert outcome[name] == "shown", name
    assert found.outcome in ("INCONCLUSIVE", "HOLDS")
    for left in found.without:
        assert {p.name for p in left.parts} >= {"share", "parity", "delta_m_moe"}
        assert "specialise" not in {p.name for p in left.parts}
    # Routers that carry 1 % of the maximum have nothing to differ by.
    dull = share_judge(share_scores(others=0.1), quick=True)
    assert dull.outcome == "NOT TESTED"
    assert {p.name: p.outcome for p in dull.parts}["specialise"] == "not tested"
    lines = text(found)
    assert "(preregistered)" in lines
    assert all(p.name in lines for p in found.parts)


def test_equal_scores_give_equal_bytes_and_files_read_back(tmp_path):
    rows = share_scores()
    order = np.random.default_rng(2).permutation(len(rows["value"]))
    moved = {c: [v[k] for k in order] for c, v in rows.items()}
    left = {"leave_out": ("biology", "math")}
    first = verdict_json(share_judge(rows, **left))
    assert verdict_json(share_judge(moved, **left)) == first
    (tmp_path / "v.json").write_bytes(first)
    verdict = read_verdict(tmp_path / "v.json")
    assert verdict_json(verdict) == first
    assert design_digest(SHARE) == verdict.design_digest
    other = law(part())
    assert design_digest(other) != design_digest(law(part(sesoi=2.0)))


def test_arms_of_other_laws_do_not_touch_a_verdict():
    rows = share_scores()
    more = columns({Arm(method="elsewhere"): 0.5}, 2, 200)
    both = {c: rows[c] + more[c] for c in rows}
    found, alone = share_judge(both), share_judge(rows)
    assert dataclasses.replace(found, unused=alone.unused) == alone
    assert found.unused[0] == Unused(kind="arms", names=("elsewhere",), rows=2 * 200 * 7)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a Verdict"),
        (b'{"law": "x"}', "not a Verdict"),
    ],
)
def test_read_verdict_refuses(tmp_path, content, message):
    path = tmp_path / "v.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_verdict(path)
    whole = verdict_json(judged([part()], n_items=50)).replace(b'"n_seeds": 6', b'"n_seeds": "6"')
    path.write_bytes(whole)
    with pytest.raises(InputError, match="'n_seeds' holds '6'"):
        read_verdict(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fixed(Estimand):
    """An estimand that a stranger's module brings along."""

    value: float
    se: float = 0.4

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (A,)


def test_a_new_estimand_registers_without_touching_the_core():
    fixed = part(estimand=Fixed(value=2.0))
    with pytest.raises(TypeError, match="Fixed has no estimator"):
        judged([fixed], n_items=50)

    @estimate.register
    def _(estimand: Fixed, evidence: Evidence) -> Finding:
        value = Estimate(value=estimand.value, se=estimand.se, df=200.0, n_seeds=10)
        return Finding(estimate=value, unit="rho")

    assert judged([fixed], n_items=50).outcome == "HOLDS"
    # Open, although an effect of interest would have been seen: not shown, not for want of data.
    enough = judged([part(estimand=Fixed(value=0.5))], n_items=50)
    assert (enough.parts[0].outcome, enough.outcome) == ("open", "NOT SHOWN")
    assert enough.parts[0].mde == pytest.approx(0.4 * 2.5, abs=0.01)
    weak = judged([part(estimand=Fixed(value=0.5, se=0.6))], n_items=50)
    assert (weak.parts[0].outcome, weak.outcome) == ("open", "INCONCLUSIVE")


def test_items_of_one_prompt_count_as_one_cluster():
    rows = columns({BASE: 0.4, A: 0.6, B: 0.6}, 5, 60, tasks=("general",))
    alike = {k: int(q[1:]) // 3 for k, q in enumerate(rows["item_id"])}
    aim = part(estimand=Contrast(weights=((A, 1.0), (B, -1.0)), target="general"))
    plain_ = judge(law(aim), table(rows), tasks=PLACES).parts[0]
    rows["cluster"] = [f"prompt{alike[k]}" for k in range(len(rows["item_id"]))]
    found = judge(law(aim), table(rows), tasks=PLACES).parts[0]
    assert found.estimate == pytest.approx(plain_.estimate)
    assert "60 items in 20 clusters" in found.notes
    assert found.n_items == 60


def test_pooled_contrast_weighs_arms_equally():
    weights = pooled([A, C], [B])
    found = judged([part(estimand=Contrast(weights=weights))], a=0.7, c=0.6, b=0.6)
    assert found.parts[0].estimate == pytest.approx(5.0, abs=1.0)


def test_parts_that_cannot_be_shown_leave_a_law_no_chance_to_hold():
    """Too few seeds for one part, or base models that it does not cover: HOLDS has chance 0."""
    both = [part(), part("other", min_seeds=9)]
    whole = judged([part()], a=0.66)
    assert whole.power[2].holds > 0.5
    few = judged(both, a=0.66)
    assert [row.holds for row in few.power] == [0.0, 0.0, 0.0]
    # The part that can be tested contradicts the law as often as if it were alone.
    alone = [row.contradicted for row in whole.power]
    assert [row.contradicted for row in few.power] == pytest.approx(alone, abs=0.03)
    built = judged([part(), part("other", needs_pretrained=True)], a=0.66, pretrained=False)
    assert {row.holds for row in built.power} == {0.0}


def test_an_arm_that_is_always_right_has_passed_its_floor():
    rows = columns({BASE: 0.4, A: 1.0, B: 1.0}, 5, 50, tasks=("math",), seed_sd=0.0)
    rows["value"] = [
        1.0 if arm == A.name and metric == "acc" else v
        for arm, metric, v in zip(rows["arm"], rows["metric"], rows["value"], strict=True)
    ]
    floor = part(checks=reaches([A], 50.0, "math"))
    found = judge(law(floor), table(rows), tasks=PLACES).parts[0].checks[0]
    # Of runs that fail, up to 1 - 0.05 ** (1 / 5) are possible where five do not.
    assert (found.estimate, found.passed) == (100.0, True)
    assert found.low == pytest.approx(100 * 0.05 ** (1 / 5))
    high = part(checks=reaches([A], 55.0, "math"))
    assert not judge(law(high), table(rows), tasks=PLACES).parts[0].checks[0].passed


def test_a_case_without_an_estimate_says_why():
    spread = SeedSpread(treatments=(A,), controls=(B,), base=BASE)
    spread_of_b = SeedSpread(treatments=(B,), controls=(A,), base=BASE)
    # Arms whose seeds differ by less than their few items explain.
    rows = columns({BASE: 0.4, A: 0.6, B: 0.6}, 5, 30, seed_sd=0.0, rng_seed=1)
    aim = part(estimand=spread, conjuncts=(("first", spread), ("second", spread_of_b)))
    found = judge(law(aim), table(rows), tasks=PLACES).parts[0]
    assert [c.estimate for c in found.conjuncts] == [None, None]
    why = [n for n in found.notes if n.startswith("second: no estimate: the gain of ")]
    assert len(why) == 1


def test_arms_that_agree_in_every_item_neither_hold_nor_contradict():
    rows = columns({BASE: 0.4, A: 0.66, B: 0.6}, 5, 400)
    of_a = [k for k, arm in enumerate(rows["arm"]) if arm == A.name]
    for name in rows:
        rows[name] = [
            *rows[name],
            *([C.name] * len(of_a) if name == "arm" else [rows[name][k] for k in of_a]),
        ]
    same = part("same", estimand=difference([A], [C]))
    found = judge(law(part(), same), table(rows), tasks=PLACES)
    assert (found.parts[1].outcome, found.parts[1].p) == ("open", None)
    assert {row.holds for row in found.power} == {0.0}
    alone = judge(law(part()), table(rows), tasks=PLACES).power
    assert [r.contradicted for r in found.power] == pytest.approx(
        [r.contradicted for r in alone], abs=0.03
    )


def test_other_choices_agree_with_an_estimate_only():
    still = {A: 0.6, B: 0.6, BASE: 0.4}
    rows = columns(still, 4, 40, tasks=SCIENCE)
    twins = [k for k, a in enumerate(rows["arm"]) if a == "a"]
    assert judge(law(part()), table(rows), tasks=PLACES).parts[0].agreeing
    for k, source in zip((k for k, a in enumerate(rows["arm"]) if a == "base"), twins, strict=True):
        rows["value"][k] = 0.0 if rows["task"][k] == "math" else rows["value"][source]
    relative = part(estimand=RelativeGain(arm=A, reference=BASE))
    found = judge(law(relative), table(rows), tasks=PLACES).parts[0]
    assert (found.estimate, found.agreeing) == (None, ())
