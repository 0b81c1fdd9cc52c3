"""Controls of a scale: declared for what it has, judged like laws, and what rests on them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from score_world import PLACES, columns, table
from tiny_world import WORDS, make_base, make_rows, make_run, make_scale
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.cli.main import main
from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Recipe, arm, difference
from lawcheck.declare.estimands import controlled
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale, scale_names
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError
from lawcheck.judging.controls import controls_of_verdict, false_positives, read_controls
from lawcheck.judging.judged import judge_file
from lawcheck.judging.verdict import design_digest, judge
from lawcheck.judging.verdict_forms import read_verdict, verdict_json
from lawcheck.methods import lora_moe
from lawcheck.methods.routing import routing_probabilities
from lawcheck.pipeline import stages
from lawcheck.planning.controls import NAME, NULL, controls_of, limits_of, required_of
from lawcheck.planning.plan import Planner, every_batch
from lawcheck.training.objectives.labelled import prepare
from lawcheck.training.run import train_run

PROXY = load_scale("proxy")
LAW = controls_of(PROXY).law


@pytest.mark.parametrize("name", [n for n in scale_names() if n not in ("slices",)])
def test_every_scale_has_controls_that_can_be_planned_and_says_what_it_lacks(name):
    scale = load_scale(name)
    try:
        planner = Planner(scale, scale.seeds[:1])
        found = controls_of(scale)
        runs = planner.law_runs(found.law)
    except InputError as error:
        assert "LAWCHECK_DATA" in str(error)  # noqa: PT017
        pytest.skip("real data are not here")
    parts = {h.name for h in found.law.hypotheses}
    asked = asked_of(scale)
    assert {f"{kind}_{d}" for d in asked for kind in ("headroom", "learnable")} <= parts
    assert len(runs) >= len(asked) + 1
    for part, word in (
        ("capacity", "capacity"),
        ("planted_router", "planted router"),
        ("oracle_mixture", "oracle mixture"),
    ):
        assert (part in parts) != any(word in line for line in found.left_out)
    assert all("\n" not in line for line in found.left_out)


def asked_of(scale):
    return [d.name for d in science(scale) if scale.evaluation.asks(d.name)]


def test_controls_share_runs_with_laws_and_move_none_of_their_jobs():
    planner = Planner(PROXY, (0,))
    home = {r.id: b.id for b in every_batch(planner).values() for r in b.runs}
    own = {r.id for r in planner.law_runs(LAW).values()}
    assert own <= home.keys()
    laws = {
        r.id
        for law in discovery.laws_of(PROXY.studies).values()
        for r in planner.law_runs(law).values()
    }
    # Base, five adapters alone, LoRA, LoRA-MoE and full fine-tuning on the corpus as it is.
    assert len(own & laws) == 9


def test_a_likelihood_scale_asks_for_room_below_the_base_not_for_accuracy():
    scale = load_scale("smollm2")
    assert limits_of(scale).metric == "bits_per_byte"
    assert limits_of(scale).high is None
    assert limits_of(PROXY).low == 40
    changed = PROXY.model_copy(
        update={"controls": PROXY.controls.model_copy(update={"margin": 1.5, "learnable": 4.0})}
    )
    assert (limits_of(changed).margin, limits_of(changed).learnable) == (1.5, 4.0)


def test_a_likelihood_scale_passes_where_answers_become_likelier():
    scale = load_scale("smollm2")
    law = controls_of(scale).law
    level = dict.fromkeys(law.arms, 0.6)
    rows = columns(level, n_seeds=4, n_items=80, sharpness=dict.fromkeys(law.arms, 0.9))
    rng = np.random.default_rng(5)
    poor = {law.base.name: 1.0, "lora.d100.foreign": 0.97}
    for k in [k for k, m in enumerate(rows["metric"]) if m == "acc"]:
        for metric, sign in (("bits_per_byte", 1.0), ("information", -1.0)):
            bits = poor.get(rows["arm"][k], 0.7)
            if "mix_given" in rows["arm"][k]:
                bits = 0.6 if rows["arm"][k] == law_arm(law, "oracle_mixture") else 0.7
            for column in ("run_id", "arm", "seed", "task", "item_id", "cluster"):
                rows[column].append(rows[column][k])
            rows["metric"].append(metric)
            rows["value"].append(sign * bits + rng.normal(0, 0.01))
    found = controls_of_verdict(judge(law, table(rows), tasks=PLACES, quick=True))
    assert all(found.values()), [k for k, v in found.items() if not v]


def law_arm(law, part):
    """The arm that a part says is better."""
    h = next(h for h in law.hypotheses if h.name == part)
    return next(a.name for a, w in h.estimand.weights if w > 0)


def test_a_control_trains_with_the_rate_of_what_it_controls():
    assert PROXY.settings_of("lora", "foreign") == PROXY.settings_of("lora")
    assert PROXY.settings_of("lora_moe", "labelled") == PROXY.settings_of("lora_moe")
    with pytest.raises(InputError, match=r"no learning rate for method 'full.dpo'"):
        PROXY.settings_of("full", "dpo")


# ----------------------------------------------------------------------------------- what is judged


def scores(**changes):
    """Arms by their names' beginnings; what is not named scores 0.62 over a base of 0.55."""
    level = {a: 0.55 if a == LAW.base else 0.62 for a in LAW.arms}
    given = {"lora.d100.foreign": 0.5, "lora.d100.mix_given.rows_396000.f6f94a": 0.55}
    for name, value in {**given, **changes}.items():
        (chosen,) = [a for a in LAW.arms if a.name == name]
        level[chosen] = value
    planted = {a: 0.9 for a in LAW.arms if a.name.endswith("labelled")}
    return table(columns(level, n_seeds=5, n_items=2500, seed_sd=0.002, sharpness=planted))


def judged(**changes):
    return judge(LAW, scores(**changes), tasks=PLACES, quick=True)


@pytest.fixture(scope="module")
def passing():
    return judged()


def test_a_sound_world_passes_every_control(passing):
    found = controls_of_verdict(passing)
    assert all(found.values()), [k for k, v in found.items() if not v]
    assert passing.outcome == "HOLDS"


def test_what_fails_is_what_was_broken(passing):
    broken = judged(**{"discipline_lora.d100": 0.57, "lora.d100.foreign": 0.6, "base": 0.545})
    found = {n for n, ok in controls_of_verdict(broken).items() if not ok}
    # Gains of 2.5 points, five points between full and LoRA, gains from other questions' answers.
    assert found == {*(n for n in controls_of_verdict(passing) if n.startswith("learnable_"))} | {
        "capacity",
        "relabelled",
    }


def test_false_positives_are_counted_over_tests_of_true_nulls(passing):
    found = false_positives(passing)
    nulls = [p for p in passing.parts if p.name.startswith(NULL)]
    # Three methods in both directions, relabelled answers in one, in five disciplines each.
    assert found.tests == 3 * 5 * 2 + 5
    assert found.expected == pytest.approx(0.05 * 35)
    outside = sum(p.low > 0 or (p.high < 0 and "relabelled" not in p.name) for p in nulls)
    assert found.found == outside


# ------------------------------------------------------------------------------- what rests on them


def test_a_law_that_rests_on_a_failed_control_is_not_tested():
    law = discovery.law("merge_then_align")
    arms = dict.fromkeys(law.arms, 0.6)
    arms[law.base] = 0.4
    seen = table(columns(arms, n_seeds=4, n_items=200))
    kept = {p.name: p.outcome for p in judge(law, seen, tasks=PLACES, quick=True).parts}
    need = {law.name: ("capacity",)}
    for controls, passed in (
        ({"capacity": True}, True),
        ({"capacity": False}, False),
        (None, False),
    ):
        verdict = judge(law, seen, tasks=PLACES, quick=True, controls=controls, required=need)
        assert verdict.design_digest == design_digest(law)
        checks = {c.name: c.passed for c in verdict.parts[0].checks}
        assert checks["control_capacity"] is passed
        now = {p.name: p.outcome for p in verdict.parts}
        if passed:
            assert now == kept
        else:
            # Only what is reversed says something without it.
            assert set(now.values()) <= {"not tested", "reversed"}
            assert verdict.outcome in ("NOT TESTED", "CONTRADICTED")
    one = judge(
        law,
        seen,
        tasks=PLACES,
        quick=True,
        controls={"capacity": False},
        required={f"{law.name}.synergy": ("capacity",)},
    )
    assert {p.name for p in one.parts if p.checks and p.outcome == "not tested"} >= {"synergy"}
    assert next(p for p in one.parts if p.name == "align").outcome == kept["align"]


def test_a_check_names_a_control_and_an_unknown_one_is_named(tmp_path):
    a, b = Arm(method="a"), Arm(method="b")
    base = dataclasses.replace(discovery.law("merge_then_align"), name="mine").hypotheses[2]
    h = dataclasses.replace(
        base, estimand=difference([a], [b]), checks=(controlled("planted_router"),)
    )
    law = Law(name="mine", title="T", claim="C", source="S", hypotheses=(h,))
    seen = table(columns({a: 0.7, b: 0.6}, n_seeds=4, n_items=300))
    outcomes = [
        judge(law, seen, tasks=PLACES, quick=True, controls=c).outcome
        for c in ({"planted_router": True}, {"planted_router": False}, {"other": True}, None)
    ]
    assert outcomes == ["HOLDS", "NOT TESTED", "NOT TESTED", "NOT TESTED"]


def test_a_scale_that_names_what_there_is_not_is_refused():
    def scale(**required):
        settings = PROXY.controls.model_copy(update={"required": required})
        return PROXY.model_copy(update={"controls": settings})

    good = {"variability": ("headroom_math",), "merge_then_align.synergy": ("capacity",)}
    assert required_of(scale(**good)) == good
    for bad, message in (
        ({"variabilty": ("capacity",)}, "no law 'variabilty'"),
        ({"variability.gian": ("capacity",)}, "has no part 'gian'"),
        ({"variability": ("learnable_maths",)}, "no control 'learnable_maths'"),
    ):
        with pytest.raises(InputError, match=message):
            required_of(scale(**bad))


def test_judging_reads_the_controls_beside_the_scores(tmp_path, passing):
    law = discovery.law("merge_then_align")
    rows = columns({a: 0.4 if a == law.base else 0.6 for a in law.arms}, n_seeds=3, n_items=20)
    path = tmp_path / "merge_then_align.scores.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    settings = PROXY.controls.model_copy(update={"required": {law.name: ("capacity",)}})
    scale = PROXY.model_copy(update={"controls": settings})
    before = judge_file(law, [path], scale, quick=True)
    assert "not measured: no controls were judged" in before.parts[0].checks[-1].note
    (tmp_path / "controls.json").write_bytes(verdict_json(passing))
    assert read_controls(tmp_path / "controls.json")["capacity"]
    after = judge_file(law, [path], scale, quick=True)
    assert after.parts[0].checks[-1].passed
    (tmp_path / "controls.json").write_bytes(verdict_json(after))
    with pytest.raises(InputError, match="holds a verdict on 'merge_then_align'"):
        judge_file(law, [path], scale, quick=True)


# --------------------------------------------------------------------------------- planted routers


def disciplined(n):
    """Two disciplines of other words."""
    rows = make_rows(n)
    for k, row in enumerate(rows):
        row["discipline"] = ("biology", "math")[k % 2]
        if k % 2:
            shifted = [WORDS[20 + WORDS.index(w)] for w in row["prompt"].split()]
            row |= {"prompt": " ".join(shifted), "response": shifted[0]}
    return rows


def test_routers_that_are_told_disciplines_tell_them_apart_untold(tmp_path):
    base = make_base(tmp_path / "base")
    scale = make_scale(method={"learning_rate": 0.02}, training={"epochs": 3})
    rows, tokenizer = disciplined(160), AutoTokenizer.from_pretrained(base)

    def apart(objective):
        own = arm("lora_moe", Recipe(objective=objective), experts=2)
        run = dataclasses.replace(make_run(), arm=own)
        train_run(run, scale, rows, base, tmp_path / objective)
        model = lora_moe.load(
            AutoModelForCausalLM.from_pretrained(base), tmp_path / objective / "adapter"
        )
        assert not hasattr(model, "tell_tasks")
        means = []
        for words in (WORDS[:10], WORDS[20:30]):
            ids = torch.tensor([tokenizer.convert_tokens_to_ids(words)])
            with torch.no_grad(), routing_probabilities(model) as seen:
                model(input_ids=ids)
            means.append(seen[0].mean(dim=(0, 1)).numpy())
        return float(np.abs(means[0] - means[1]).max())

    assert apart("labelled") > 0.5 > apart("response")


def test_a_method_without_routers_cannot_be_told():
    with pytest.raises(InputError, match="no gate to tell disciplines to"):
        prepare(torch.nn.Linear(2, 2))


# ---------------------------------------------------------------------------------- from end to end


@pytest.mark.slow
def test_controls_of_a_scale_with_one_method_from_end_to_end(tmp_path, capsys):
    content = load_scale("smoke").model_dump(mode="json", exclude_none=True)
    content |= {"name": "one", "seeds": [0], "methods": {"lora": content["methods"]["lora"]}}
    content["evaluation"]["items"] = 5
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump(content))
    scale = load_scale(str(path))
    planner, layout = Planner(scale, (0,)), Layout(tmp_path / "results", "one")
    found = controls_of(scale)
    assert [line.split(":")[0] for line in found.left_out] == [
        "no capacity control",
        "no planted router",
        "no oracle mixture",
    ]
    build_corpus(scale, layout.corpus)
    words = ["--scale", str(path), "--results", str(layout.results)]
    assert main(["mixtures", *words]) == 0
    runs = list(planner.law_runs(found.law).values())
    stages.train(planner, layout, runs)
    stages.evaluate(planner, layout, runs)
    capsys.readouterr()
    where = [str(path), "--results", str(layout.results), "--figures", str(tmp_path / "figures")]
    assert main(["controls", *where]) == 0
    said = capsys.readouterr().out
    assert "open: learnable_math" in said  # one seed shows nothing
    assert "false positives: 0 of 0" in said
    verdict = read_verdict(layout.verdict(NAME))
    assert verdict.law == NAME
    assert {p.name for p in verdict.parts} == {h.name for h in found.law.hypotheses}
    assert layout.provenance(NAME).is_file()
    assert (layout.tables / "controls.csv").is_file()
    assert (tmp_path / "figures/one/hypotheses_controls.pdf").is_file()
    assert main(["report", *words]) == 0
    page = (layout.report / "index.html").read_text()
    assert 'id="study-controls"' in page
    capsys.readouterr()
    assert main(["verify", *words]) == 0, capsys.readouterr().out
