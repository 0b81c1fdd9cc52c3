"""Properties of the verdict logic, on estimates that are given instead of scores."""

from __future__ import annotations

import dataclasses
import datetime
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from score_world import PLACES, columns, table

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Check, Estimand, Hypothesis, Law
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.judging.estimators import Finding, estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.judged import judge_file
from lawcheck.judging.looks import Looks, overall_level
from lawcheck.judging.preregistration import preregister, preregistration_of, scale_digest
from lawcheck.judging.stats import Estimate
from lawcheck.judging.verdict import design_digest, judge
from lawcheck.scores.files import write_scores

BASE = Arm(method="base")
SCORES = table(columns({BASE: 0.5}, 2, 5, tasks=("math",)))
SESOI, MARGIN = 1.0, 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(Estimand):
    """An estimate as it stands; se 0: a counted one."""

    value: float
    se: float = 0.2
    df: float = 4.0

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()


@estimate.register
def _(estimand: Given, evidence: Evidence) -> Finding:
    if not estimand.se:
        value = Estimate(value=estimand.value, se=None, df=None, n_seeds=0)
        return Finding(estimate=value, unit="points", exact=True)
    value = Estimate(value=estimand.value, se=estimand.se, df=estimand.df, n_seeds=5)
    return Finding(estimate=value, unit="points")


def at(day: int) -> datetime.datetime:
    return datetime.datetime(2026, 1, day, 12, tzinfo=datetime.UTC)


def check(kind: str, passed: bool) -> Check:
    value = Given(value=1.0 if passed else -1.0, se=0.01)
    return Check(name=kind, kind=kind, claim=f"{kind} is passed", estimand=value)


PASSED = (check("assay", True), check("manipulation", True))
NO_ASSAY = (check("assay", False), check("manipulation", True))
NO_MANIPULATION = (check("assay", True), check("manipulation", False))


def part(value, alternative="greater", se=0.2, name="p", **changes) -> Hypothesis:
    given_ = {
        "name": name,
        "role": "primary",
        "claim": name,
        "estimand": Given(value=value, se=se),
        "alternative": alternative,
        "sesoi": SESOI,
        "margin": MARGIN if alternative in ("no_gain", "equivalent") else None,
    }
    return Hypothesis(**given_ | changes)


def law(*parts: Hypothesis) -> Law:
    named = tuple(dataclasses.replace(h, name=f"p{k}") for k, h in enumerate(parts))
    return Law(name="test", title="T", claim="C", source="none", hypotheses=named)


def judged(*parts: Hypothesis, **options):
    return judge(law(*parts), SCORES, tasks=PLACES, quick=True, **options)


values = st.floats(-3, 3)
parts = st.builds(
    part,
    values,
    st.sampled_from(["greater", "less", "no_gain", "equivalent"]),
    st.sampled_from([0.05, 0.2, 0.5, 1.5]),
    role=st.sampled_from(["primary", "primary", "secondary"]),
    checks=st.sampled_from([(), PASSED, NO_ASSAY, NO_MANIPULATION]),
    conjuncts=st.lists(st.builds(Given, value=values), max_size=2).map(
        lambda found: tuple((f"c{k}", e) for k, e in enumerate(found))
    ),
    min_seeds=st.sampled_from([3, 3, 6]),
)
some = st.lists(parts, min_size=1, max_size=5)
quickly = settings(max_examples=80, deadline=None)


@quickly
@given(some, parts)
def test_another_part_never_turns_contradicted_into_holds(found, more):
    found = [dataclasses.replace(found[0], role="primary"), *found[1:]]
    before, after = judged(*found), judged(*found, more)
    assert not (before.outcome == "CONTRADICTED" and after.outcome == "HOLDS")
    # A primary part's outcome is its own; a law that held keeps each of its parts.
    for old, new in zip(before.parts, after.parts, strict=False):
        if old.role == "primary":
            assert (old.outcome, old.size) == (new.outcome, new.size)
    if after.outcome == "HOLDS":
        assert before.outcome == "HOLDS"


@quickly
@given(some, st.randoms(use_true_random=False))
def test_order_changes_nothing(found, random):
    found = [dataclasses.replace(found[0], role="primary"), *found[1:]]
    first = law(*found)
    moved = list(first.hypotheses)
    random.shuffle(moved)
    again = dataclasses.replace(first, hypotheses=tuple(moved))
    one, two = (judge(x, SCORES, tasks=PLACES, quick=True) for x in (first, again))
    assert one.outcome == two.outcome
    assert {p.name: p for p in one.parts} == {p.name: p for p in two.parts}
    assert sorted(one.notes) == sorted(two.notes)


@quickly
@given(some)
def test_holds_never_stands_beside_a_part_against_it(found):
    found = judged(dataclasses.replace(found[0], role="primary"), *found[1:])
    primary = {p.outcome for p in found.parts if p.role == "primary"}
    assert (found.outcome == "HOLDS") == (primary == {"shown"})
    if found.outcome == "CONTRADICTED":
        assert primary & {"reversed", "negligible"}


@pytest.mark.parametrize(
    ("alternative", "limits"),
    [
        # Truth in smallest effects: -1, 0, half, twice.
        ("greater", ("reversed", "negligible", "negligible", "shown")),
        ("no_gain", ("shown", "shown", "shown", "reversed")),
        ("equivalent", ("open", "shown", "shown", "reversed")),
    ],
)
def test_with_many_seeds_the_verdict_is_the_truth(alternative, limits):
    word = {"shown": "HOLDS", "open": "NOT SHOWN"}
    for truth, limit in zip((-1.0, 0.0, 0.5, 2.0), limits, strict=True):
        found = judged(part(truth, alternative, se=1e-6))
        assert found.parts[0].outcome == limit
        assert found.outcome == word.get(limit, "CONTRADICTED")
        if limit == "shown" and alternative == "greater":
            assert found.parts[0].size == "at least the smallest effect"
    mirrored = {"greater": "less"}.get(alternative)
    for truth, limit in zip((1.0, 0.0, -0.5, -2.0), limits if mirrored else (), strict=False):
        assert judged(part(truth, "less", se=1e-6)).parts[0].outcome == limit


def test_at_the_smallest_effect_itself_a_law_holds_but_for_its_level():
    se, shares = 1e-6, (np.arange(40) + 0.5) / 40
    said = [judged(part(SESOI + se * stats.t.ppf(u, 4), se=se)) for u in shares]
    assert [v.outcome for v in said] == ["CONTRADICTED"] * 2 + ["HOLDS"] * 38
    sizes = ["above 0"] * 36 + ["at least the smallest effect"] * 2
    assert [v.parts[0].size for v in said[2:]] == sizes
    # So does the margin of a bound.
    said = [judged(part(MARGIN + se * stats.t.ppf(u, 4), "no_gain", se=se)) for u in shares]
    words = ["HOLDS"] * 2 + ["NOT SHOWN"] * 36 + ["CONTRADICTED"] * 2
    assert [v.outcome for v in said] == words


@quickly
@given(parts, some)
def test_a_failed_manipulation_neither_contradicts_nor_holds(one, others):
    failed = dataclasses.replace(one, role="primary", checks=NO_MANIPULATION, min_seeds=3)
    alone = judged(failed)
    assert (alone.parts[0].outcome, alone.outcome) == ("not tested", "NOT TESTED")
    beside, without = judged(*others, failed), None
    assert beside.outcome != "HOLDS"
    if any(h.role == "primary" for h in others):
        without = judged(*others)
        # It takes nothing from Holm's family either.
        assert (beside.outcome == "CONTRADICTED") == (without.outcome == "CONTRADICTED")


@quickly
@given(parts)
def test_a_failed_assay_leaves_the_opposite_alone(one):
    whole = judged(dataclasses.replace(one, role="primary", checks=PASSED, min_seeds=3)).parts[0]
    failed = judged(dataclasses.replace(one, role="primary", checks=NO_ASSAY, min_seeds=3))
    kept = whole.outcome == "reversed"
    assert failed.parts[0].outcome == ("reversed" if kept else "not tested")
    assert failed.outcome == ("CONTRADICTED" if kept else "NOT TESTED")


def test_not_tested_goes_before_holds_and_after_contradicted():
    good, untested = part(3.0), part(3.0, checks=NO_ASSAY)
    assert judged(good).outcome == "HOLDS"
    assert judged(good, untested).outcome == "NOT TESTED"
    assert judged(good, untested, part(0.5, se=1.5)).outcome == "NOT TESTED"
    assert judged(good, untested, part(-3.0)).outcome == "CONTRADICTED"
    secondary = dataclasses.replace(untested, role="secondary")
    assert judged(good, secondary).outcome == "HOLDS"
    # A bound on counted or given estimands has no arms whose base it could beat.
    counted = part(-1.0, "below", se=0.0)
    assert judged(good, counted).outcome == "HOLDS"
    assert judged(good, part(1.0, "below", se=0.0)).outcome == "CONTRADICTED"


def case(value, *conjuncts, **options):
    named = tuple((f"c{k}", Given(value=v)) for k, v in enumerate(conjuncts))
    return judged(part(value, conjuncts=named, **options))


@quickly
@given(st.lists(values, min_size=1, max_size=4), st.floats(1.5, 3))
def test_a_shown_conjunct_never_contradicts_and_a_reversed_one_does(conjuncts, high):
    before, after = case(2.0, *conjuncts), case(2.0, *conjuncts, high)
    assert after.parts[0].conjuncts[-1].outcome == "shown"
    assert before.outcome == "CONTRADICTED" or after.outcome != "CONTRADICTED"
    assert case(2.0, *conjuncts, -3.0).outcome == "CONTRADICTED"
    assert not (before.outcome == "CONTRADICTED" and after.outcome == "HOLDS")
    every = all(c.outcome == "shown" for c in after.parts[0].conjuncts)
    assert (after.outcome == "HOLDS") == every


def test_a_claim_of_several_cases_is_their_intersection_and_the_pool_does_not_decide():
    assert case(-3.0, 2.0, 2.0).outcome == "HOLDS"
    one_open = case(2.0, 2.0, 0.3)
    assert (one_open.parts[0].outcome, one_open.outcome) == ("negligible", "CONTRADICTED")
    # At its own level against, but not as one of two cases: neither word.
    t = stats.t.isf(0.04, 4)
    either = case(2.0, 2.0, SESOI - 0.2 * t)
    assert [c.outcome for c in either.parts[0].conjuncts] == ["shown", "negligible"]
    assert (either.parts[0].outcome, either.outcome) == ("open", "NOT SHOWN")
    assert any("c1 stands against it at its own level" in n for n in either.parts[0].notes)


def test_contradiction_takes_holm_over_primary_parts_and_says_so():
    value = SESOI - 0.2 * stats.t.isf(0.04, 4)
    assert judged(part(value)).outcome == "CONTRADICTED"
    found = judged(part(value), part(3.0))
    assert [p.outcome for p in found.parts] == ["negligible", "shown"]
    assert found.outcome == "NOT SHOWN"
    assert "p0 is negligible at its own level, not after Holm over 2 primary parts" in found.notes


@pytest.mark.parametrize(
    ("fractions", "unplanned"),
    [((0.6, 1.0), ()), ((1 / 3, 2 / 3, 1.0), ()), ((0.6, 1.0), (0.05,))],
)
def test_looks_keep_the_level_that_they_state(fractions, unplanned):
    looks, n = Looks(fractions, unplanned), 400_000
    rng = np.random.default_rng(3)
    steps = np.diff(fractions, prepend=0.0)
    paths = np.cumsum(rng.standard_normal((n, len(steps))) * np.sqrt(steps), axis=1)
    z = paths / np.sqrt(fractions)
    levels = [*unplanned, *[looks.level(0.05)] * (len(fractions) - len(unplanned))]
    crossed = (z >= stats.norm.isf(levels)).any(axis=1).mean()
    assert crossed == pytest.approx(looks.total(0.05), abs=0.0012)
    if unplanned:
        assert looks.total(0.05) > 0.055
        assert "0.05 was spent" in looks.note(0.05)
    else:
        assert looks.total(0.05) == pytest.approx(0.05, abs=1e-6)


def test_levels_are_pocock_s():
    """Constants of Jennison and Turnbull (2000), table 2.1, two-sided levels halved."""
    for alpha, looks, constant in ((0.05, 2, 1.875), (0.05, 5, 2.122), (0.025, 2, 2.178),
                                   (0.025, 5, 2.413)):  # fmt: skip
        level = Looks.planned(looks).level(alpha)
        assert stats.norm.isf(level) == pytest.approx(constant, abs=6e-4)
    assert overall_level([0.05], [1.0]) == pytest.approx(0.05, abs=1e-9)
    for wrong in ((0.5, 0.4, 1.0), (0.5,), ()):
        with pytest.raises(InputError, match="rise to 1"):
            Looks(wrong)


# ------------------------------------------------------------------ preregistration


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "reproduce" / "preregistered"
    path.mkdir(parents=True)
    return path


def test_own_data_are_preregistered_by_their_design_alone(folder):
    one = law(part(1.0))
    assert not preregistration_of(one, None).fits
    path = preregister(one, None, folder, Looks((0.6, 1.0)), now=at(2))
    record = json.loads(path.read_text())
    assert {"scale", "scale_digest"}.isdisjoint(record)
    assert record["date"] == "2026-01-02T12:00:00Z"
    found = preregistration_of(one, None, at(2))
    assert (found.fits, found.looks) == (True, Looks((0.6, 1.0)))
    early = preregistration_of(one, None, at(1))
    assert not early.fits
    assert early.note == (
        "exploratory: recorded at 2026-01-02T12:00:00Z, the scores are of 2026-01-01T12:00:00Z"
    )
    with pytest.raises(InputError, match="holds other looks"):
        preregister(one, None, folder, Looks())


def test_a_changed_design_is_exploratory_and_is_not_recorded_over(folder):
    preregister(law(part(1.0)), None, folder)
    other = law(part(1.0, sesoi=0.5))
    assert preregistration_of(other, None).note == (
        "exploratory: design_digest changed since preregistration"
    )
    with pytest.raises(InputError, match="holds another design"):
        preregister(other, None, folder)


def test_a_law_recorded_after_a_verdict_stays_exploratory(folder, tmp_path):
    one = law(part(1.0))
    preregister(one, None, folder, judged=("results/test.json",))
    found = preregistration_of(one, None)
    assert (found.fits, "results/test.json" in found.note) == (False, True)
    rows = columns({BASE: 0.5}, 2, 5, tasks=("math",))
    write_scores(rows, tmp_path / "s.parquet")
    verdict = judge_file(one, [tmp_path / "s.parquet"], leave_out=())
    assert not verdict.preregistered
    assert found.note in verdict.notes


@pytest.mark.parametrize(("looks", "found"), [(0, "found '0'"), ([0.6], "fractions 0.6")])
def test_looks_that_no_record_has_are_restored_and_not_typed_again(folder, looks, found):
    path = preregister(law(part(1.0)), None, folder)
    path.write_text(json.dumps({**json.loads(path.read_text()), "looks": looks}))
    with pytest.raises(InputError, match=f"looks: {found}[^;]*; restore the record; one that"):
        preregistration_of(law(part(1.0)), None)


def test_records_of_the_first_version_are_read(folder):
    one, scale = discovery.law("variability"), load_scale("smoke")
    digests = {"design_digest": design_digest(one), "scale_digest": scale_digest(scale, one)}
    path = folder / "variability.smoke.json"
    path.write_text(json.dumps({"law": one.name, "scale": scale.name, "looks": 2, **digests}))
    found = preregistration_of(one, scale, at(1))
    # It has no date to compare scores with.
    assert (found.fits, found.looks) == (True, Looks.planned(2))
    before = path.read_bytes()
    assert preregister(one, scale, folder) == path
    assert path.read_bytes() == before
