"""Selecting rows, naming tasks, and the scores of adapters that a selector chooses from."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_world import make_base

from lawcheck.corpus import selecting
from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Contrast, Hypothesis, Law, Recipe, Selection, arm
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.methods.base import AdapterSettings
from lawcheck.pipeline import composites, stages
from lawcheck.pipeline.composites import derived_scores
from lawcheck.pipeline.tuning import served
from lawcheck.planning import sources
from lawcheck.planning.forecast import scored_pairs
from lawcheck.planning.plan import Planner
from lawcheck.scores import load_scores, read_rows
from lawcheck.training.architectures import why_not
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model

SIX = (
    *("medicine_drug", "medicine_test", "geography_country"),
    *("geography_river", "biology_codon", "biology_translate"),
)


def rows(count):
    return [
        {"id": f"r{k}", "task": "t", "input": f"word{k % 7}", "prompt": "p", "response": "r"}
        for k in range(count)
    ]


# ------------------------------------------------------------------ rows


def test_each_centre_keeps_its_nearest_row_by_each_distance():
    # Two directions, two lengths: L2 parts lengths, COS directions, IP runs to the long vectors.
    vectors = np.array([[1.0, 0], [1.1, 0.1], [9, 0], [9.1, 0.2], [0, 1], [0.1, 1.1]])
    assert len(selecting.representatives(vectors, 3, "L2")) == 3
    by_cosine = selecting.representatives(vectors, 2, "COS")
    assert {0 if k < 4 else 1 for k in by_cosine} == {0, 1}
    # Centres of L2 near (1, 0) and (9, 0) have the same nearest vector by inner product: the long.
    released = selecting.representatives(vectors, 3, "IP", released=True)
    assert len(released) < 3
    assert 3 in released


def test_spherical_centres_maximise_the_inner_product():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 5))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = selecting._spherical(unit, 4)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(np.ones(4))
    labels = (unit @ centres.T).argmax(axis=1)
    for c in range(4):
        mean = unit[labels == c].mean(axis=0)
        assert centres[c] == pytest.approx(mean / np.linalg.norm(mean))


def test_selected_rows_do_not_depend_on_the_order_that_rows_come_in():
    selection = Selection(tasks=("t",), k=4, embedding="tfidf_svd")

    def embed(some):
        return selecting.vectors_of(some, selection, rows(40), None)

    found = selecting.choose(rows(40), selection, "t", embed)
    assert found == selecting.choose(rows(40)[::-1], selection, "t", embed)
    assert len({r["id"] for r in found}) == len(found) <= 4


def test_more_centres_than_distinct_vectors_are_as_many_as_those():
    vectors = np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    assert len(selecting.representatives(vectors, 3, "L2")) == 2


def test_a_zero_vector_has_no_cosine():
    with pytest.raises(InputError, match=r"vector 1 of 2 is zero .* choose distance L2"):
        selecting.representatives(np.array([[1.0, 0], [0, 0]]), 1, "COS")


def test_retained_rows_are_nested_and_tasks_may_be_kept_whole():
    def kept(share, whole=()):
        selection = Selection(tasks=("t",), k=30, by="random", retained=share, whole=whole)
        return [r["id"] for r in selecting.choose(rows(40), selection, "t", None)]

    assert len(kept(1.0)) == len(kept(0.0, ("t",))) == 30
    assert kept(0.1) == kept(0.5)[:3]
    assert (len(kept(0.5)), kept(0.0)) == (15, [])


def test_vectors_are_means_of_input_embeddings_and_padding_counts_where_released(tmp_path):
    folder = make_base(tmp_path)
    tokenizer = load_tokenizer(folder)
    weights = load_model(folder, "main", dtype=torch.float32).get_input_embeddings().weight
    weights = weights.detach().numpy()
    one, two, end = (
        weights[i].astype(float)
        for i in (*tokenizer("w1 w2")["input_ids"][:2], tokenizer.eos_token_id)
    )
    texts = ["w1", "w1 w2"]
    plain = selecting.input_vectors(texts, tokenizer, weights)
    assert plain == pytest.approx(np.stack([one, (one + two) / 2]))
    padded = selecting.input_vectors(texts, tokenizer, weights, tokenizer.eos_token_id)
    assert padded[0] == pytest.approx((one + end) / 2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tasks": ()}, "tasks none, expected one or more distinct names"),
        ({"k": 0}, "k is 0, expected a count from 1"),
        ({"distance": "L1"}, "distance 'L1' is unknown; choose one of L2, COS, IP"),
        ({"retained": 1.5}, r"retained 1.5 is outside \[0, 1\]"),
        ({"whole": ("other",)}, "'other' is kept whole but is none of its tasks"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(fields, said):
    with pytest.raises(InputError, match=said):
        Selection(**{"tasks": ("t",), **fields})


def test_a_selection_stands_alone():
    chosen = Selection(tasks=("t",))
    for more in ({"fraction": 0.5}, {"disciplines": ("medicine",)}, {"general_share": 0.1}):
        with pytest.raises(InputError, match="recipe: a selection beside disciplines, fraction"):
            Recipe(selection=chosen, **more)
    with pytest.raises(InputError, match="each_alone with a selection"):
        arm("lora", Recipe(selection=chosen), each_alone=True)


# ------------------------------------------------------------------ questions and replies

LISTED = selecting.Question(
    "{input}\n\nDomains: {domains}\nTasks: {tasks}\n?",
    {"a": ("law", "sum"), "b": ("law", "tag"), "c": ("health", "sum")},
)


def test_a_question_lists_domains_and_tasks_in_the_order_of_the_selection():
    assert LISTED.prompt("{x}") == "{x}\n\nDomains: law, health\nTasks: sum, tag\n?"
    assert LISTED.answer("b") == "law\ntag"


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        *(("law\nsum", 0), (" law \n\n tag \n", 1), ("health\nsum", 2)),
        *(("health\ntag", -2), ("law", -1), ("", -1), ("law\nsum\nmore", -1)),
    ],
)
def test_a_reply_is_read_or_counted_and_never_raises(reply, place):
    assert LISTED.read(reply) == place


def test_two_tasks_with_one_label_and_a_row_without_input_are_refused():
    medicine = discovery.discipline("medicine")
    world = medicine.worlds["proxy_tasks"]
    tasks = tuple(dataclasses.replace(t, label=("patient", "drug")) for t in world.tasks)
    odd = dataclasses.replace(
        medicine, worlds={"proxy_tasks": dataclasses.replace(world, tasks=tasks)}
    )
    names = [t.name for t in tasks[:2]]
    with pytest.raises(InputError, match="are both labelled 'patient drug'"):
        selecting.Question.of([odd], "proxy_tasks", names)
    with pytest.raises(InputError, match="row 'r0': input is ' ', expected the text"):
        selecting.asked([{"id": "r0", "task": "a", "input": " "}], LISTED)


# ------------------------------------------------------------------ a small study


def declared():
    def chosen(*tasks, **fields):
        return Recipe(selection=Selection(tasks=tasks, **fields), epochs=2)

    selector = arm("selector", chosen(*SIX, k=6), rank=4, alpha=8)
    adapters = tuple(arm("lora", chosen(task)) for task in SIX[:3])
    return {
        "selector": selector,
        "adapters": adapters,
        "routed": arm("routed", parents=(selector, *adapters)),
        "oracle": arm("oracle", parents=adapters),
        "soup": arm("soup", parents=adapters),
        "states": arm("state_mean", parents=adapters),
        "mtl": arm("mtl_lora", chosen(*SIX, k=6), tasks=6),
        "mola": arm("mola", chosen(*SIX, k=6)),
        "mft": arm("lora", Recipe(selection=Selection(tasks=SIX, k=6), objective="task_balanced")),
        "lookup": arm("lookup", chosen(*SIX, k=6)),
        "update": arm(
            "selector",
            chosen(*SIX, "biology_complement", k=6, whole=("biology_complement",), retained=0.5),
            parents=(selector,),
            rank=4,
            alpha=8,
        ),
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Planner, layout and law of a study that was trained, scored and collected."""
    scale = load_scale("smoke")
    settings, more = scale.methods["lora"], ("selector", "mola", "mtl_lora", "lora.task_balanced")
    scale = scale.model_copy(
        update={
            "world": "proxy_tasks",
            "methods": {**scale.methods, **dict.fromkeys(more, settings)},
            "corpus": scale.corpus.model_copy(update={"size": 1 / 500}),
            "evaluation": scale.evaluation.model_copy(update={"items": 16}),
        }
    )
    arms = declared()
    compared = [a for name, a in arms.items() if name != "adapters"]
    hypothesis = Hypothesis(
        name="costs",
        role="primary",
        estimand=Contrast(weights=((arms["oracle"], 1.0), (arms["routed"], -1.0))),
        alternative="greater",
        claim="routing costs something",
        sesoi=1.0,
    )
    law = Law(
        name="routes",
        title="t",
        claim="c",
        source="s",
        hypotheses=(hypothesis,),
        shown=tuple(compared),
    )
    planner = Planner(scale, (0,))
    layout = Layout(tmp_path_factory.mktemp("results"), scale.name)
    build_corpus(scale, layout.corpus)
    runs = list(planner.with_parents(planner.law_runs(law).values()).values())
    stages.train(planner, layout, runs)
    stages.evaluate(planner, layout, runs)
    stages.collect(planner, layout, law)
    return planner, layout, law, arms


def values(layout, run_id, metric="acc"):
    table = read_rows([layout.run_scores(run_id)]).to_pylist()
    return {(r["task"], r["item_id"]): r["value"] for r in table if r["metric"] == metric}


def test_derived_arms_have_the_scores_of_the_runs_that_answer(study):
    planner, layout, law, arms = study
    table = read_rows([layout.law_scores(law.name)]).to_pylist()
    (selector,) = planner.runs(arms["selector"])
    chosen = values(layout, selector.id, "chosen_task")
    own = {
        t: values(layout, planner.runs(a)[0].id)
        for t, a in zip(SIX, arms["adapters"], strict=False)
    }
    base = values(layout, planner.base_run(arms["selector"], 0).id)
    found = {
        name: {
            (r["task"], r["item_id"]): r["value"]
            for r in table
            if (r["arm"], r["metric"]) == (arms[name].name, "acc")
        }
        for name in ("routed", "oracle")
    }
    assert found["oracle"].keys() == found["routed"].keys() == base.keys()
    for item, place in chosen.items():
        named = SIX[int(place)] if place >= 0 else ""
        assert found["routed"][item] == own.get(named, base)[item]
        assert found["oracle"][item] == own.get(item[0], base)[item]
    # What they derive from is in the table only where the law is about it.
    assert not {r["arm"] for r in table} & {a.name for a in arms["adapters"]}
    assert load_scores(layout.law_scores(law.name))


def test_a_selector_is_scored_on_domain_and_task_and_its_rows_are_counted(study):
    planner, layout, law, arms = study
    (run,) = planner.runs(arms["selector"])
    chosen, right = values(layout, run.id, "chosen_task"), values(layout, run.id)
    for item, place in chosen.items():
        assert right[item] == float(place >= 0 and SIX[int(place)] == item[0])
    table = read_rows([layout.law_scores(law.name)]).to_pylist()
    counted = {
        r["task"]: r["value"]
        for r in table
        if (r["run_id"], r["metric"]) == (run.id, "rows_selected")
    }
    assert counted["all"] == sum(counted[task] for task in SIX)
    assert all(1 <= counted[task] <= 6 for task in SIX)


@pytest.mark.parametrize("name", ["soup", "states", "mtl", "mola", "mft"])
def test_arms_without_a_selector_answer_every_item(study, name):
    planner, layout, _, arms = study
    (run,) = planner.runs(arms[name])
    found = values(layout, run.id)
    assert found.keys() == values(layout, planner.base_run(run.arm, 0).id).keys()
    assert not [v for v in found.values() if v is None or v != v]


def test_an_update_trains_the_selector_further_and_is_one_adapter(study):
    planner, layout, _, arms = study
    (origin,), (update,) = planner.runs(arms["selector"]), planner.runs(arms["update"])
    before, after = (
        load_file(layout.adapter(r.id) / "adapter_model.safetensors") for r in (origin, update)
    )
    assert before.keys() == after.keys()
    # One step of warm-up and a few more: near its start, and not where a new adapter begins.
    moved = max(float((after[k] - before[k]).abs().max()) for k in before)
    assert 0 < moved < max(float(v.abs().max()) for v in before.values())
    assert [r.id for r in planner.chain(update)] == [update.id]


def test_the_real_switch_gives_the_answers_that_routed_scores_are_derived_from(study):
    from peft import PeftModel

    planner, layout, _, arms = study
    base = stages.base_folder(planner, layout, "default", 0)
    tokenizer = load_tokenizer(base)
    folders = [layout.adapter(planner.runs(a)[0].id) for a in arms["adapters"]]
    text = tokenizer("which drug treats bronosis ?", return_tensors="pt")
    alone = [
        PeftModel.from_pretrained(load_model(base, "main", dtype=torch.float32), f)(**text).logits
        for f in folders
    ]
    plain = load_model(base, "main", dtype=torch.float32)
    untouched = plain(**text).logits
    switched = PeftModel.from_pretrained(plain, folders[0], adapter_name="a0")
    for k, folder in enumerate(folders[1:], start=1):
        switched.load_adapter(folder, adapter_name=f"a{k}")
    for k in (2, 0, 1, 0):
        switched.set_adapter(f"a{k}")
        assert torch.equal(switched(**text).logits, alone[k])
    with switched.disable_adapter():
        assert torch.equal(switched(**text).logits, untouched)


def test_rows_are_planned_as_a_selection_keeps_them(study):
    planner, _, _, arms = study
    assert planner.row_count(planner.runs(arms["selector"])[0]) == 6 * 6
    # Six of the new task, and half of six of the others.
    assert planner.row_count(planner.runs(arms["update"])[0]) == 6 + 6 * 3


def test_it_must_be_clear_which_adapter_answers(study):
    planner, layout, _, arms = study
    again = arm("lora", Recipe(selection=Selection(tasks=(SIX[0],), k=3)))
    for odd, said in (
        (arm("routed", parents=arms["adapters"]), "0 of its parents are selectors, expected 1"),
        (arm("oracle", parents=(arms["adapters"][0], again)), f"two .* of task '{SIX[0]}'"),
        (arm("oracle", parents=(arms["adapters"][0], arms["mola"])), "on 6 selected tasks, expect"),
    ):
        (run,) = planner.runs(odd)
        with pytest.raises(InputError, match=said):
            derived_scores(planner, layout, run, Path, Path)


def test_a_composite_of_a_diverged_run_is_said_to_have_diverged(study):
    planner, layout, _, arms = study
    (run,) = planner.runs(arms["oracle"])
    assert "diverged" not in {s.metric for s in derived_scores(planner, layout, run, Path, Path)}
    record = layout.train_record(planner.runs(arms["adapters"][1])[0].id)
    whole = record.read_text()
    try:
        record.write_text(whole.replace('"diverged": false', '"diverged": true'))
        scores = derived_scores(planner, layout, run, Path, Path)
        found = [s for s in scores if s.metric == "diverged"]
    finally:
        record.write_text(whole)
    assert [(s.run_id, s.task, s.value) for s in found] == [(run.id, "train", 1.0)]


def test_items_that_a_selector_sends_elsewhere_are_answered_there(study, tmp_path, monkeypatch):
    planner, layout, _, arms = study
    (run,) = planner.runs(arms["routed"])
    read, sent = composites._values, []
    tasks = {planner.runs(a)[0].id: t for a, t in zip(arms["adapters"], SIX, strict=False)}

    def values_of(tasks):
        def values(layout, run, only=""):
            found = read(layout, run, only)
            if only:
                # No adapter, or each of the three in turn.
                named = {item: k % 4 - 1.0 for k, item in enumerate(sorted(found))}
                return {k: [composites.Value(only, place, "")] for k, place in named.items()}
            return {k: v for k, v in found.items() if tasks.get(run.id, k.task) == k.task}

        return values

    def answers(adapter, items):
        sent.append(adapter.id)
        assert all(item.task != tasks[adapter.id] for item in items)
        return stages._answers(planner, layout, tmp_path, adapter, items)

    monkeypatch.setattr(composites, "_values", values_of({}))
    expected = derived_scores(planner, layout, run, Path, answers)
    assert not sent
    monkeypatch.setattr(composites, "_values", values_of(tasks))
    assert derived_scores(planner, layout, run, Path, answers) == expected
    assert sorted(sent) == sorted(tasks)


def test_arms_on_selected_tasks_are_asked_those_where_scores_are_not_crossed(study):
    planner, _, law, arms = study
    scale = planner.scale
    evaluation = scale.evaluation.model_copy(update={"cross": False})
    few = dataclasses.replace(planner, scale=scale.model_copy(update={"evaluation": evaluation}))
    asked = {
        name: sources.tasks(few.runs(arms[name])[0], few.scale) for name in ("selector", "soup")
    }
    assert asked == {"selector": sorted(SIX), "soup": sorted(SIX[:3])}
    (adapter,) = few.runs(arms["adapters"][0])
    assert sources.tasks(adapter, few.scale) == [SIX[0]]
    assert len(sources.tasks(few.base_run(law.base, 0), few.scale)) == 12
    pairs = scored_pairs(few, law)
    assert pairs["pairs"] < pairs["of"] == 12 * len(few.law_runs(law))


def test_the_rate_of_a_selector_is_searched_on_the_most_tasks(study):
    _, _, law, arms = study
    found = served([law])
    assert found["selector"] == (arms["selector"],)
    assert found["mtl_lora"] == (arms["mtl"],)
    assert "lookup" not in found


# ------------------------------------------------------------------ the method


@pytest.mark.parametrize("init", ["lora", "rslora", "dora", "pissa"])
@pytest.mark.parametrize("rank", [4, 8])
def test_a_saved_selector_is_the_model_that_was_trained(init, rank, tmp_path):
    module, folder = discovery.method_module("selector"), make_base(tmp_path / "base")

    def base():
        return load_model(folder, "main", dtype=torch.float32)

    ids = torch.arange(3, 20)[None]
    plain = base()(ids).logits
    settings = AdapterSettings(rank=2, alpha=4)
    built = module.build(base(), {"init": init, "rank": rank, "alpha": 2 * rank}, settings, 0)
    assert torch.allclose(built(ids).logits, plain, atol=1e-4)
    torch.manual_seed(0)
    with torch.no_grad():
        for p in built.parameters():
            if p.requires_grad:
                p.add_(0.05 * torch.randn_like(p))
    trained = built(ids).logits
    module.save(built, tmp_path / "saved")
    loaded = module.load(base(), tmp_path / "saved")
    assert torch.allclose(loaded(ids).logits, trained, atol=2e-4)
    # Beside another adapter the base is as it was.
    with loaded.disable_adapter():
        assert torch.equal(loaded(ids).logits, plain)


def test_random_svd_of_pissa_and_other_parents_are_refused(tmp_path):
    module, folder = discovery.method_module("selector"), make_base(tmp_path / "base")
    with pytest.raises(InputError, match="'pissa_niter_4' does not survive saving"):
        module.METHOD.validate({"init": "pissa_niter_4"})

    def base():
        return load_model(folder, "main", dtype=torch.float32)

    settings = AdapterSettings(rank=2, alpha=4)
    module.save(module.build(base(), {}, settings, 0), tmp_path / "parent")
    parents = {"origin": tmp_path / "parent"}
    with pytest.raises(InputError, match="r is 8, expected 4; give the arm the design of its pare"):
        module.build(base(), {"rank": 4}, settings, 0, parents)
    with pytest.raises(InputError, match="init 'pissa' begins from the base model"):
        module.build(base(), {"init": "pissa"}, settings, 0, parents)


def test_a_soup_adds_the_mean_of_its_adapters_updates(tmp_path):
    lora, soup = discovery.method_module("lora"), discovery.method_module("soup")
    folder = make_base(tmp_path / "base")

    def base():
        return load_model(folder, "main", dtype=torch.float32)

    settings, parents, updates = AdapterSettings(rank=2, alpha=4), {}, []
    for k in range(2):
        built = lora.build(base(), {}, settings, k)
        with torch.no_grad():
            for p in built.parameters():
                if p.requires_grad:
                    p.normal_(0, 0.1)
        layer = built.base_model.model.model.layers[0].self_attn.q_proj
        updates.append(layer.get_delta_weight("default").detach())
        parents[f"a{k}"] = tmp_path / f"a{k}"
        lora.save(built, parents[f"a{k}"])
    made = soup.build(base(), {}, settings, 0, parents)
    soup.save(made, tmp_path / "soup")
    loaded = soup.load(base(), tmp_path / "soup")
    layer = loaded.base_model.model.model.layers[0].self_attn.q_proj
    assert torch.allclose(layer.get_delta_weight("default"), sum(updates) / 2, atol=1e-6)


def test_averaged_states_are_those_of_every_adapter_alone(tmp_path):
    lora, method = discovery.method_module("lora"), discovery.method_module("state_mean")
    folder = make_base(tmp_path / "base")

    def base():
        return load_model(folder, "main", dtype=torch.float32).eval()

    settings, parents, states = AdapterSettings(rank=2, alpha=4), {}, []
    ids = torch.arange(3, 19).reshape(2, 8)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    given = {"input_ids": ids, "attention_mask": mask, "position_ids": mask.cumsum(-1) - 1}
    for k in range(3):
        built = lora.build(base(), {}, settings, k)
        with torch.no_grad():
            for p in built.parameters():
                if p.requires_grad:
                    p.normal_(0, 0.3)
        states.append(built.eval()(**given, output_hidden_states=True).hidden_states[-1])
        parents[f"a{k}"] = tmp_path / f"a{k}"
        lora.save(built, parents[f"a{k}"])
    expected = base().lm_head(sum(states) / 3)[mask.bool()]
    method.save(method.build(base(), {}, settings, 0, parents), tmp_path / "states")
    loaded = method.load(base(), tmp_path / "states")
    assert torch.allclose(loaded(**given).logits[mask.bool()], expected, atol=1e-5)
    assert "several rows for a text" in why_not(loaded, "greedy")
    # The search finds the only adapter that knows the answers, here its own greedy ones.
    made = method.build(base(), {}, settings, 0, parents)
    made.shares.data = torch.tensor([0.0, 1.0, 0.0])
    known = made(**given).logits.argmax(-1)

    def answers():
        logits = made(**given).logits
        return logits[mask.bool()], known[mask.bool()]

    made.shares.data = torch.full((3,), 1 / 3)
    equal = torch.nn.functional.cross_entropy(*answers())
    method.fit_on_tuning(made, answers)
    assert made.shares.argmax() == 1
    assert float(made.shares.sum()) == pytest.approx(1)
    assert torch.nn.functional.cross_entropy(*answers()) < equal
    # Token by token from the cache as in one pass.
    found = loaded.generate(
        input_ids=ids[1:], attention_mask=mask[1:], max_new_tokens=4, do_sample=False
    )
    for at in range(8, found.shape[1]):
        assert found[0, at] == loaded(input_ids=found[:, :at]).logits[0, -1].argmax()
    with pytest.raises(InputError, match="found 1 adapters, expected two or more"):
        method.build(base(), {}, settings, 0, {"a0": parents["a0"]})
    with pytest.raises(InputError, match="6,561 points, expected at most 7 adapters; choose share"):
        method.build(base(), {}, settings, 0, {f"b{k}": parents["a0"] for k in range(8)})


REFUSED = {
    "alpha_pattern": {"alpha_pattern": {"q_proj": 8}},
    "rank_pattern": {"rank_pattern": {"q_proj": 2}},
    "init_lora_weights": {"init_lora_weights": "pissa"},
    "use_dora": {"use_dora": True},
    "use_rslora": {"use_rslora": True},
    "alora_invocation_tokens": {"alora_invocation_tokens": [1, 2]},
    "bias": {"bias": "all"},
    "modules_to_save": {"modules_to_save": ["lm_head"]},
}


@pytest.mark.parametrize("key", REFUSED)
@pytest.mark.parametrize("method", ["lora_comp", "soup", "state_mean"])
def test_experts_whose_matrices_mean_something_else_are_refused(key, method, tmp_path):
    from peft import LoraConfig, get_peft_model

    folder = make_base(tmp_path / "base")
    settings = AdapterSettings(rank=2, alpha=4)
    given = {}
    for k in range(5 if method == "lora_comp" else 2):
        model = load_model(folder, "main", dtype=torch.float32)
        more = REFUSED[key] if k == 1 else {}
        config = LoraConfig(
            r=2, lora_alpha=4, target_modules=list(settings.modules), task_type="CAUSAL_LM", **more
        )
        given[f"e{k}"] = tmp_path / f"e{k}"
        get_peft_model(model, config).save_pretrained(given[f"e{k}"])
    module = discovery.method_module(method)
    with pytest.raises(InputError, match=f"adapter 'e1' in .*: {key} is ") as caught:
        module.build(load_model(folder, "main", dtype=torch.float32), {}, settings, 0, given)
    assert "\n" not in str(caught.value)
