"""Run ids, shared arms and jobs."""

import dataclasses

import pytest

from lawcheck.declare import discovery, versions
from lawcheck.declare.design import Law, Recipe, difference
from lawcheck.declare.scale import load_scale, scale_names
from lawcheck.declare.worlds import scale_laws
from lawcheck.errors import InputError
from lawcheck.pipeline.workflow import Workflow
from lawcheck.planning.cost import planned_tokens
from lawcheck.planning.plan import Planner, batches, find_runs
from lawcheck.studies.discipline_laws.arms import discipline_lora, lora_comp, lora_moe

RATE = {"learning_rate": 1e-3, "weight_decay": 0.0, "warmup_ratio": 0.0}
REFERENCE = {"base": "default", "learning_rate": 1e-3}


@pytest.fixture
def planner():
    return Planner(load_scale("proxy"), (0, 1))


def changed(planner, **parts):
    """The planner at a scale with one nested setting changed, as group={'key': value}."""
    updates = {
        group: getattr(planner.scale, group).model_copy(update=values)
        for group, values in parts.items()
    }
    return Planner(planner.scale.model_copy(update=updates), planner.seeds)


def test_everything_that_touches_a_result_changes_the_id(planner, monkeypatch):
    arm = lora_moe()
    ids = {planner.runs_of(arm, 0)[0].id, planner.runs_of(arm, 1)[0].id}
    ids |= {planner.runs_of(lora_moe("shared_a"), 0)[0].id}
    ids |= {planner.runs_of(lora_moe("plain", Recipe(fraction=0.7)), 0)[0].id}
    for parts in (
        {"corpus": {"size": 0.01}},
        {"corpus": {"frozen": "0" * 64}},
        {"adapter": {"rank": 8}},
        {"training": {"batch_size": 64}},
        {"evaluation": {"items": 10}},
    ):
        ids.add(changed(planner, **parts).runs_of(arm, 0)[0].id)
    monkeypatch.setattr(versions, "TRAINER", 99)
    ids.add(changed(planner).runs_of(arm, 0)[0].id)
    assert len(ids) == 10


def test_hardware_and_other_methods_settings_leave_the_id_alone(planner):
    arm = lora_moe()
    before = planner.runs_of(arm, 0)[0].id
    assert changed(planner, hardware={"micro_batch": 4}).runs_of(arm, 0)[0].id == before
    full = planner.scale.methods["full"].model_copy(update={"learning_rate": 1.0})
    methods = {**planner.scale.methods, "full": full}
    other = planner.scale.model_copy(update={"methods": methods})
    assert Planner(other, (0,)).runs_of(arm, 0)[0].id == before


def test_compositions_carry_their_experts_digests(planner):
    experts = planner.parents(lora_comp(), 0)
    assert experts == planner.runs_of(discipline_lora(), 0)
    before = planner.runs_of(lora_comp(), 0)[0].digest
    lora = planner.scale.methods["lora"].model_copy(update={"learning_rate": 1.0})
    other = planner.scale.model_copy(update={"methods": {**planner.scale.methods, "lora": lora}})
    assert Planner(other, (0,)).runs_of(lora_comp(), 0)[0].digest != before


def law_of(name, *arms):
    template = next(iter(discovery.laws().values()))
    part = dataclasses.replace(template.hypotheses[0], estimand=difference(arms[:1], arms[1:]))
    return Law(name=name, title=name, claim=name, source="test", hypotheses=(part,))


def test_laws_share_runs_and_need_every_job_wholly_or_not_at_all(planner):
    one = law_of("one", lora_moe("shared_a"), lora_moe(), lora_comp())
    two = law_of("two", lora_moe(), lora_moe("rank_route"))
    jobs = batches(planner, {"one": one, "two": two})
    ids = [r.id for b in jobs.values() for r in b.runs]
    assert len(ids) == len(set(ids)), "a run stands in two jobs"
    for law in (one, two):
        wanted = set(planner.with_parents(planner.law_runs(law).values()))
        assert wanted <= set(ids)
        for batch in jobs.values():
            members = {r.id for r in batch.runs}
            assert members <= wanted or not members & wanted
    assert {r.seed for b in jobs.values() for r in b.runs if b.seed == 1} == {1}


def test_jobs_that_load_adapters_come_after_those_that_train_them(planner):
    jobs = batches(planner, {"one": law_of("one", lora_comp(), lora_moe())})
    loading = [b for b in jobs.values() if any(r.arm.method == "lora_comp" for r in b.runs)]
    assert loading
    for batch in loading:
        needed = {e.id for r in batch.runs for e in planner.needs(r)}
        trained = {r.id for b in batch.needs for r in jobs[b].runs}
        assert needed <= trained
        assert not needed & {r.id for r in batch.runs}


def test_planned_rows_follow_recipe_and_part(planner):
    whole = planner.row_count(planner.runs_of(lora_moe(), 0)[0])
    assert whole == pytest.approx(3_295_160 / 300, abs=3)
    parts = planner.runs_of(discipline_lora(), 0)
    assert sum(map(planner.row_count, parts)) == pytest.approx(whole, abs=3)


def test_small_runs_are_scored_where_they_are_trained():
    assert Workflow({"scale": "smoke"}).joined
    assert not Workflow({"scale": "paper"}).joined


def test_unknown_run_names_the_nearest(planner):
    real = planner.runs_of(lora_moe("shared_a"), 0)[0].id
    with pytest.raises(InputError, match="nearest"):
        find_runs(planner, discovery.laws(), [real[:-1] + "x"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": {"loar": RATE}}, "methods: 'loar' names no method 'loar'; nearest: lora"),
        ({"methods": {"loar@rank_multiple=5": RATE}}, "names no method 'loar'; nearest: lora"),
        ({"methods": {"lora.dop": RATE}}, "names no objective 'dop'; nearest: dpo"),
        ({"corpus": {"caps": {"maths": 3}}}, "corpus.caps: no discipline 'maths'; nearest: math"),
        ({"corpus": {"reserve": {"maths": 3}}}, "corpus.reserve: no discipline 'maths'; nearest"),
        ({"methods": {"full@rank_multiple=5": RATE}}, "no design key 'rank_multiple'; known: none"),
        ({"methods": {"lora@rank_multiple=x": RATE}}, "rank_multiple is 'x', expected a whole num"),
        ({"methods": {"lora_moe@variant=plane": RATE}}, "variant 'plane' is unknown; nearest: pla"),
        ({"evaluation": {"disciplines": ["maths"]}}, "evaluation.disciplines: no discipline 'mat"),
        ({"bases": {"default": {"mixture": {"maths": 3}}}}, "bases.default.mixture: no discipline"),
        ({"references": {"defaults": REFERENCE}}, "references: no base 'defaults'; nearest"),
        ({"references": {"default": {**REFERENCE, "method": "ful"}}}, "no method 'ful'; nearest:"),
    ],
)
def test_a_setting_that_nothing_reads_is_refused_wherever_runs_are_planned(change, message):
    with pytest.raises(InputError, match=message):
        Planner(load_scale("smoke", change), (0,))
    with pytest.raises(InputError, match=message):
        scale_laws(load_scale("smoke", change))


def test_every_shipped_scale_names_what_is_there():
    for name in scale_names():
        Planner(load_scale(name), (0,))


def test_a_plan_without_words_of_a_part_of_the_corpus_is_refused():
    plan = {"words_per_sample": {"math": 3}, "tokens_per_word": 2, "peak_tflops": 1}
    scale = load_scale("smoke", {"plan": {**plan, "utilisation": 1}})
    with pytest.raises(InputError, match="plan counts no words of discipline 'general'"):
        planned_tokens(lora_moe("plain"), scale)
