"""Planning from a pilot: the verdict's own seeds, honest about what it cannot plan."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
from score_world import PLACES, SCIENCE, columns, table

from lawcheck.__main__ import main
from lawcheck.declare.design import Arm, Cost, Hypothesis, Law, difference
from lawcheck.judging.pilot import pilot_text, seeds_plan
from lawcheck.judging.verdict import judge
from lawcheck.scores.files import write_scores
from lawcheck.studies.discipline_laws.laws.share_then_specialize import LAW as SHARE

BASE, A, B, C = (Arm(method=m) for m in ("base", "a", "b", "c"))


def part(name: str, arms=(A, B), alternative="greater", role="primary", **changes) -> Hypothesis:
    margin = 2.0 if alternative in ("no_gain", "equivalent") else None
    given = {
        "name": name,
        "role": role,
        "claim": name,
        "estimand": difference(arms[:1], arms[1:]),
        "alternative": alternative,
        "sesoi": 1.0,
        "margin": margin,
    }
    return Hypothesis(**given | changes)


def law(*parts: Hypothesis) -> Law:
    return Law(name="test", title="T", claim="A beats B.", source="none", hypotheses=parts)


@functools.cache
def pilot(n_seeds: int = 4, n_items: int = 1500, seed_sd: float = 0.01):
    level = {BASE: 0.4, A: 0.62, B: 0.6}
    return table(columns(level, n_seeds, n_items, tasks=SCIENCE, seed_sd=seed_sd))


def test_seeds_are_those_of_the_verdict():
    whole = law(
        part("gain"), part("even", alternative="equivalent"), part("cap", (A, B), "no_gain")
    )
    planned = seeds_plan(whole, pilot())
    verdict = judge(whole, pilot(), tasks=PLACES)
    assert [p["seeds"] for p in planned["parts"]] == [p.seeds_needed for p in verdict.parts]
    assert all(p["cautious_seeds"] >= p["seeds"] for p in planned["parts"])
    assert planned["law"]["each"]["seeds"] == max(p.seeds_needed for p in verdict.parts)
    seeds = [planned["law"][k]["seeds"] for k in ("each", "joint", "joint_cautious")]
    assert seeds == sorted(seeds)


def test_designs_trade_seeds_for_items():
    whole = law(part("gain"), part("even", alternative="equivalent"))
    planned = seeds_plan(whole, pilot())
    for entry in planned["parts"]:
        few, many = entry["designs"]
        assert few["seeds"] < many["seeds"]
        assert few["items"] > many["items"]
        low, high = entry["first_design_seeds"]
        assert low <= few["seeds"] <= high
        assert f"{entry['name']}: {entry['designs_text']}" in pilot_text(planned)
    joint = planned["law"]["joint"]["designs"][0]
    assert joint["seeds"] >= max(p["designs"][0]["seeds"] for p in planned["parts"])
    assert f"{joint['seeds']} seeds x {joint['items']:,} items a task" in pilot_text(planned)


def test_planned_seeds_reach_the_power_they_promise():
    """A study of the planned size shows a true effect of interest about as often as planned."""
    rng = np.random.default_rng(11)
    gain, sd = part("gain", sesoi=1.5), 1.6

    def study(n: int, effect: float):
        # One item a task: the paired t over seeds, so the truth is simple.
        rows = {c: [] for c in ("run_id", "arm", "seed", "task", "item_id", "cluster", "metric",
                                "value")}  # fmt: skip
        for arm, shift in ((A, effect), (B, 0.0)):
            for seed in range(n):
                value = 0.5 + (shift + rng.normal(0, sd / np.sqrt(2))) / 100
                row = ("", arm.name, seed, "math", "mean", "", "acc", value)
                for column, cell in zip(rows, row, strict=True):
                    rows[column].append(cell)
        return table(rows)

    wide = seeds_plan(law(gain), study(400, 0.0))["parts"][0]
    assert wide["pilot_sd"] == pytest.approx(sd, rel=0.1)
    shown = [
        judge(law(gain), study(wide["seeds"], 1.5), tasks=PLACES).parts[0].p <= 0.05
        for _ in range(300)
    ]
    assert 0.72 < np.mean(shown) < 0.93


def test_what_cannot_be_planned_says_why():
    cost = part(
        "cost", alternative="below", estimand=Cost(arm=SHARE.arms[1], reference=SHARE.arms[2])
    )
    planned = seeds_plan(law(part("gain"), part("other", (A, C)), cost), pilot())
    gain, other, counted = planned["parts"]
    assert gain["seeds"]
    assert other["seeds"] is None
    assert "arm 'c', found no seed" in other["note"]
    assert "counted" in counted["note"]
    assert planned["law"]["each"]["seeds"] is None
    assert "each primary part: not planned" in pilot_text(planned)
    single = seeds_plan(law(part("gain")), pilot(n_seeds=1))["parts"][0]
    assert "one seed shows no variance" in single["note"]
    noisy = seeds_plan(law(part("gain", sesoi=0.05)), pilot(n_items=40))["parts"][0]
    assert "more items" in noisy["note"]


@pytest.fixture
def scores(tmp_path):
    level = {a: 0.4 if a == SHARE.base else 0.6 for a in SHARE.arms}
    sharp = {a: 0.3 for a in SHARE.arms if a.method == "lora_moe"}
    path = tmp_path / "pilot.parquet"
    write_scores(columns(level, 3, 300, sharpness=sharp), path)
    return str(path)


def test_the_command_line_prints_seeds_and_cost(scores, capsys):
    assert main(["plan", "law_share_then_specialize", "--pilot", scores, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    goal = found["law"]["each"]
    assert goal["cost"]["runs"] % goal["seeds"] == 0
    assert goal["cost"]["device_hours"] > 0
    assert main(["plan", "law_share_then_specialize", "--pilot", scores]) == 0
    lines = capsys.readouterr().out
    assert all(p["name"] in lines for p in found["parts"])
    assert f"each primary part: {goal['seeds']} seeds; {goal['cost']['runs']} runs" in lines


@pytest.mark.parametrize(
    "options", [["--pilot", "absent.csv"], ["--pilot", "absent.csv", "--runs"]]
)
def test_misuse_gets_one_line(options, capsys):
    assert main(["plan", "share_then_specialize", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1
