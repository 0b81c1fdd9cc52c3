"""Each numerical fault, made on purpose, is named in the record, the notes and the page."""

import html
import json
import math
import random

import pytest
import torch
from score_world import PLACES, SCIENCE, columns, table
from test_evaluation_run import job, world  # noqa: F401
from test_verdict import BASE, A, B, law, part
from tiny_world import make_base, make_rows, make_run, make_scale

from lawcheck.evaluation.answers import faults
from lawcheck.evaluation.run import evaluate_runs
from lawcheck.judging.verdict import judge
from lawcheck.scores.files import read_rows
from lawcheck.scores.health import findings
from lawcheck.training.health import fingerprints, health
from lawcheck.training.run import train_run


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


def built(base, method="lora_moe"):
    from transformers import AutoModelForCausalLM

    from lawcheck.declare import discovery
    from lawcheck.planning.cost import adapter_settings

    run = make_run(method)
    model = AutoModelForCausalLM.from_pretrained(base)
    module = discovery.method_module(method)
    return module.build(model, run.arm.choices, adapter_settings(make_scale()), 0, {})


BATCH = {
    "input_ids": torch.arange(5, 25).view(2, 10),
    "position_ids": torch.arange(10).repeat(2, 1),
}


def read(model, before=None, **given):
    given = {"losses": [1.0], "gradient_norms": [1.0], "vocabulary": 40, **given}
    return health(model, {} if before is None else before, [BATCH], **given)


def named(model, part):
    return [p for n, p in model.named_parameters() if part in n]


# --- training -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lora", "lora_moe", "full"])
def test_a_healthy_run_has_no_findings_and_says_what_was_measured(base, tmp_path, method):
    found = train_run(make_run(method), make_scale(), make_rows(400), base, tmp_path)["health"]
    assert found["findings"] == []
    assert found["tensors_unmoved"] == 0
    assert 0 < found["gradient_norm"]["median"] <= found["gradient_norm"]["largest"]
    assert ("router" in found) == (method == "lora_moe")
    for layer in found.get("router", ()):
        assert sum(layer["shares"]) == pytest.approx(1, abs=1e-5)
        assert 0 < layer["token_entropy"] <= layer["share_entropy"] + 1e-6 <= 1 + 1e-5


def test_weights_that_the_last_step_breaks_are_found_though_no_loss_follows(
    base, tmp_path, monkeypatch
):
    from lawcheck.training.divergence import DivergenceWatch

    honest = DivergenceWatch.on_step_end

    def broken(self, args, state, control, **kwargs):
        if state.global_step == state.max_steps:
            first = next(p for p in kwargs["model"].parameters() if p.requires_grad)
            first.data.view(-1)[0] = math.nan
        return honest(self, args, state, control, **kwargs)

    monkeypatch.setattr(DivergenceWatch, "on_step_end", broken)
    found = train_run(make_run("lora"), make_scale(), make_rows(80), base, tmp_path)
    assert found["diverged"]
    assert found["reason"].startswith("1 tensors are not finite after the last step")
    assert found["last_good_step"] < found["at_step"] == found["steps"]
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert all(torch.isfinite(t).all() for t in saved.values())


@pytest.mark.parametrize("factor", ["nan", "inf"])
def test_a_loss_that_is_not_finite_is_the_reason_in_the_record(base, tmp_path, monkeypatch, factor):
    from lawcheck.training.trainer import CompletionTrainer

    honest = CompletionTrainer.compute_loss
    monkeypatch.setattr(
        CompletionTrainer, "compute_loss", lambda *a, **k: honest(*a, **k) * float(factor)
    )
    found = train_run(make_run("lora"), make_scale(), make_rows(40), base, tmp_path)
    assert (found["diverged"], found["at_step"]) == (True, 0)
    assert found["reason"] == f"loss is {factor}"
    # Nothing was learnt before: the record says what was saved.
    assert any("output is zero" in text for text in found["health"]["findings"])


def test_gates_that_saturate_collapse_or_stay_uniform_are_told_apart(base):
    model = built(base)
    gates = named(model, "lora_moe_gate")
    with torch.no_grad():
        for gate in gates:
            gate.zero_()
    assert any("exactly uniform" in t for t in read(model)["findings"])
    with torch.no_grad():
        for gate in gates:
            gate.copy_(1e4 * torch.randn(gate.shape, generator=torch.manual_seed(3)))
    assert any("saturated" in t for t in read(model)["findings"])
    from lawcheck.methods.lora_moe import LoraMoeGate

    def one(probabilities):
        return torch.nn.functional.one_hot(torch.zeros(probabilities.shape[:-1]).long(), 5).float()

    from lawcheck.training import health as module

    rows = [module._layer(one(torch.zeros(20, 5)))]
    (text,) = module.router_findings(rows)
    assert "to one expert (layers 0)" in text
    assert len([m for m in model.modules() if isinstance(m, LoraMoeGate)]) == len(gates)
    with torch.no_grad():
        gates[1].fill_(math.nan)
    found = read(model)
    assert any("not finite (layers 1)" in t for t in found["findings"])
    assert found["router"][1]["largest"] is None
    json.dumps(found, allow_nan=False)


def test_routers_and_experts_of_any_method_are_read(base):
    from transformers import AutoModelForCausalLM

    from lawcheck.methods.routing import route

    class Own(torch.nn.Module):
        def __init__(self, norm):
            super().__init__()
            self.norm, self.record = norm, None

        def routing_gates(self):
            return {"own": self}

        def expert_matrices(self):
            yield torch.ones(1, 2, 8), torch.stack([torch.zeros(8, 2), torch.ones(8, 2)])

        def forward(self, hidden):
            if self.record is not None:
                self.record.append(torch.tensor([0.25, 0.75]).expand(*hidden.shape[:-1], 2))
            return self.norm(hidden)

    model = AutoModelForCausalLM.from_pretrained(base)
    layer = model.model.layers[0]
    layer.input_layernorm = Own(layer.input_layernorm)
    found = read(model)
    (gate,) = found["router"]
    assert (gate["shares"], gate["largest"]) == ([0.25, 0.75], 0.75)
    assert (found["experts"], found["experts_dead"]) == (2, 1)
    assert route(model, **BATCH).shape == (2, 10, 2)


def test_reading_the_routers_leaves_mode_records_weights_and_the_random_stream_alone(base):
    model = built(base).train()
    before, state = fingerprints(model), torch.get_rng_state()
    assert read(model, before)["tensors_unmoved"] == len(before)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert fingerprints(model) == before
    assert all(m.record is None for m in model.modules() if hasattr(m, "record"))


def test_dead_and_identical_experts_and_an_adapter_that_does_nothing_are_named(base):
    model = built(base)
    ups, downs = named(model, "lora_moe_B"), named(model, "lora_moe_A")
    text = read(model)["findings"]
    assert "all experts are dead: B is zero in every module" in text
    assert any("output is zero in every module" in t for t in text)
    with torch.no_grad():
        for up in ups:
            up.normal_(generator=torch.manual_seed(1))
            up[:, 2:4] = 0
    found = read(model)
    assert found["experts_dead"] == 1
    assert found["findings"] == ["experts 1 are dead: B is zero in every module"]
    with torch.no_grad():
        for up in ups:
            up.copy_(up[:, :2].repeat(1, 5))
        for down in downs:
            down.copy_(down[:2].repeat(5, 1))
    assert read(model)["findings"] == ["all experts are the same matrix in every module"]


def test_a_spike_and_a_loss_above_guessing_are_named(base):
    model = built(base, "full")
    text = read(model, losses=[9.0, 5.0, 4.0], gradient_norms=[1.0, 1.2, math.inf, 500.0])
    assert [t.split(",")[0] for t in text["findings"]] == [
        "gradient norm up to 500",
        "the loss ends at 5",
    ]


# --- scoring --------------------------------------------------------------------------------


def scored(world, out, spoil, monkeypatch):  # noqa: F811
    """Rows of the full run whose model was spoilt after loading, by task."""
    from lawcheck.declare import discovery

    module = discovery.method_module("full")
    honest = module.load

    def spoilt(base_model, folder):
        model = honest(base_model, folder)
        with torch.no_grad():
            spoil(model)
        return model

    monkeypatch.setattr(module, "load", spoilt)
    given = job(world, "full")
    evaluate_runs([given], make_scale(), world / "corpus", lambda i: out / "scores.parquet")
    return read_rows([out / "scores.parquet"]).to_pylist()


def test_nan_logits_leave_items_unscored_instead_of_answering_the_first_option(
    world,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    def poison(model):
        model.model.norm.weight.fill_(math.nan)

    rows = scored(world, tmp_path, poison, monkeypatch)
    items = [r for r in rows if r["metric"] not in ("fault", "routing_probability")]
    assert items
    assert all(math.isnan(r["value"]) for r in items)
    told = {r["task"]: r["value"] for r in rows if r["metric"] == "fault"}
    assert told == {r["task"]: 1.0 for r in items}


def test_one_sick_option_or_prompt_is_one_unscored_item():
    def choice(*likely):
        return {"filtered_resps": [(x, False) for x in likely], "target": "0", "arguments": []}

    good = [choice(-1.0, -2.0), choice(-2.0, -1.0), choice(-math.inf, -1.0)] * 10
    assert faults(good, (), {}, 0) == {}
    for bad in ((math.nan, -1.0), (-1.0, math.inf), (-math.inf, -math.inf)):
        assert faults([*good, choice(*bad)], (), {}, 0) == {"not_finite": pytest.approx(1 / 31)}


def answer(text, target, prompt="p"):
    return {
        "filtered_resps": [text],
        "resps": [[text]],
        "target": target,
        "arguments": [(prompt, {})],
    }


def test_answers_that_are_all_alike_empty_or_endless_are_named():
    rng = random.Random(0)
    targets = [str(rng.randrange(10)) for _ in range(40)]
    lengths = {"7": 1, " ": 0, "word " * 48: 48, **dict.fromkeys(targets, 1)}
    assert faults([answer(t, t) for t in targets], (), lengths, 48) == {}
    assert faults([answer("7", t) for t in targets], (), lengths, 48) == {"one_answer": 1.0}
    empty = faults([answer(" ", t) for t in targets], (), lengths, 48)
    assert empty == {"empty_answers": 1.0, "one_answer": 1.0}
    endless = faults([answer("word " * 48, t) for t in targets], (), lengths, 48)
    assert endless == {"endless_answers": 1.0, "one_answer": 1.0}
    # A task with one right answer may be answered alike, and few items show nothing.
    assert faults([answer("7", "7") for _ in targets], (), lengths, 48) == {}
    assert faults([answer("7", t) for t in targets[:19]], (), lengths, 48) == {}
    sick = [answer("7", t, prompt=str(k % 2)) for k, t in enumerate(targets)]
    assert faults(sick, {"0"}, lengths, 48)["not_finite"] == 0.5


def test_a_learning_rate_whose_model_gives_no_numbers_has_no_score(tmp_path):
    from types import SimpleNamespace

    from lawcheck.declare.layout import Layout
    from lawcheck.pipeline.tuning import _accuracy
    from lawcheck.scores.files import write_scores

    layout, run = Layout(tmp_path, "tiny"), make_run("full")
    path = layout.run_scores(run.id, "tune")
    path.parent.mkdir(parents=True)
    found = []
    for last in (1.0, math.nan):
        rows = {
            "run_id": [run.id] * 10,
            "arm": [run.arm.name] * 10,
            "seed": [run.seed] * 10,
            "task": [t for t in (*SCIENCE,) for _ in "12"],
            "item_id": ["0", "1"] * 5,
            "cluster": [""] * 10,
            "metric": ["acc"] * 10,
            "value": [0.0] * 9 + [last],
        }
        write_scores(rows, path)
        found.append(_accuracy(SimpleNamespace(scale=make_scale()), layout, (run,)))
    assert sorted(found[0].values()) == [0.0, 0.0, 0.0, 0.0, 0.5]
    assert found[1] is None


# --- tables, verdicts -------------------------------------------------------------------------


def rows_of(**changes):
    return columns({BASE: 0.4, A: 0.6, B: 0.6}, 4, 60, tasks=SCIENCE, **changes)


def cells(rows, **keys):
    return [k for k in range(len(rows["arm"])) if all(rows[c][k] == v for c, v in keys.items())]


def test_honest_scores_have_no_findings():
    assert findings(table(rows_of())) == ()


def copy_cells(rows, source, target):
    """Overwrite the values of one (arm, seed) with another's."""
    key = {(rows["task"][k], rows["item_id"][k]): rows["value"][k] for k in cells(rows, **source)}
    for k in cells(rows, **target):
        rows["value"][k] = key[rows["task"][k], rows["item_id"][k]]


def fault(name):
    rows = rows_of()
    if name == "identical_arms":
        for seed in range(4):
            copy_cells(rows, {"arm": "a", "seed": seed}, {"arm": "b", "seed": seed})
    elif name == "repeated_seed":
        copy_cells(rows, {"arm": "a", "seed": 0}, {"arm": "a", "seed": 3})
    elif name == "constant":
        for k in cells(rows, arm="a", seed=1, task=SCIENCE[0]):
            rows["value"][k] = 0.0
    elif name == "unscored":
        for k in cells(rows, arm="a", seed=1)[:30]:
            rows["value"][k] = math.nan
    elif name == "single_seed":
        keep = [k for k in range(len(rows["arm"])) if rows["seed"][k] == 0]
        rows = {c: [v[k] for k in keep] for c, v in rows.items()}
    else:
        task, item, metric, values = {
            "all_diverged": ("train", "", "diverged", (1.0,) * 4),
            "one_answer": (SCIENCE[0], "one_answer", "fault", (0.99,)),
            "not_finite": (SCIENCE[0], "not_finite", "fault", (0.5,)),
            "one_expert": (SCIENCE[0], "expert_0", "routing_probability", (0.97,) * 4),
            "uniform_router": (SCIENCE[0], "expert_0", "routing_probability", (0.5,) * 4),
        }[name]
        for seed, value in enumerate(values):
            pairs = [(item, value)]
            pairs += [("expert_1", 1 - value)] if metric == "routing_probability" else []
            for i, v in pairs:
                whole = (f"a-s{seed}", "a", seed, task, i, "", metric, v)
                for column, x in zip(rows, whole, strict=True):
                    rows[column].append(x)
    return rows


FAULTS = {
    "identical_arms": "arms 'a' and 'b' agree in every one of 300 items (seeds 0, 1, 2, 3)",
    "repeated_seed": "arm 'a': seeds 0 and 3 agree in every one of 300 items",
    "constant": "every item scored 0 (seeds 1)",
    "unscored": "up to 10 % of the items unscored (seeds 1)",
    "single_seed": "one seed only",
    "all_diverged": "every seed with a diverged run; scored at the last good state",
    "one_answer": "the same answer whatever was asked, in up to 0.99 of the items (seeds 0)",
    "not_finite": "not finite numbers: unscored, in up to 0.5 of the items",
    "one_expert": "sends at least 95% of every task to one expert (seeds 0, 1, 2, 3)",
    "uniform_router": "is exactly uniform: it chose nothing",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_table_is_found_named_and_changes_no_number(name):
    found = table(fault(name))
    hits = [f for f in findings(found) if f.kind == name]
    assert len(hits) == 1
    assert FAULTS[name] in hits[0].text
    assert "a" in hits[0].arms
    if name in ("one_answer", "not_finite", "one_expert", "uniform_router", "all_diverged"):
        plain = judge(law(part()), table(rows_of()), tasks=PLACES).parts[0]
        told = judge(law(part()), found, tasks=PLACES).parts[0]
        assert (told.estimate, told.se, told.p) == (plain.estimate, plain.se, plain.p)


def test_fault_rows_enter_the_digest_and_only_where_they_are():
    plain, told = table(rows_of()), table(fault("one_answer"))
    assert plain.digest() != told.digest()
    assert plain.faults == {}
    assert told.faults == {("a", 0): ((SCIENCE[0], "one_answer", 0.99),)}
    assert plain.item_metric == told.item_metric


def test_the_verdict_the_tables_and_the_page_name_what_was_found(tmp_path):
    from report_world import planner, study

    from lawcheck.declare import discovery
    from lawcheck.judging.judged import judge_file
    from lawcheck.scores.files import write_scores
    from lawcheck.show.grid import Cell, Row
    from lawcheck.show.judged import render_context
    from lawcheck.show.notes import notes
    from lawcheck.show.page import write_report

    plan, share = planner(), discovery.law("optimize_then_scale")
    layout = study(tmp_path, [share])
    path = layout.law_scores(share.name)
    rows = read_rows([path]).to_pylist()
    first, second = sorted(a.name for a in share.arms if a.recipe is not None)[:2]
    values = {
        (r["seed"], r["task"], r["item_id"], r["metric"]): r["value"]
        for r in rows
        if r["arm"] == first
    }
    for r in rows:
        if r["arm"] == second and r["metric"] != "routing_probability":
            r["value"] = values.get((r["seed"], r["task"], r["item_id"], r["metric"]), r["value"])
    like = next(r for r in rows if r["arm"] == first)
    rows.append(like | {"item_id": "empty_answers", "metric": "fault", "value": 0.75})
    told = like | {"task": "train", "item_id": "", "cluster": "", "metric": "diverged"}
    rows.append(told | {"value": 1.0})
    write_scores({c: [r[c] for r in rows] for c in rows[0]}, path)
    verdict = judge_file(share, [path], plan.scale, out=layout.verdict(share.name))
    wanted = (
        f"arms {first!r} and {second!r} agree in every one of",
        f"arm {first!r}, task {like['task']}: empty answers, in up to 0.75 of the items",
        f"arm {first!r}: 1 seeds with a diverged run; scored at the last good state",
    )
    for words in wanted:
        assert any(words in note for note in verdict.notes)
    record = json.loads(layout.provenance(share.name).read_text())
    run = min(record["runs"])
    record["runs"][run] |= {
        "findings": ["all experts are dead: B is zero"],
        "reason": "loss is nan",
    }
    layout.provenance(share.name).write_text(json.dumps(record))
    under = notes(
        render_context(plan, layout, share), (), [Row(label=first, arm=first, cells=(Cell(),))]
    )
    assert any("Diverged runs, at their last good state:" in text for text in under)
    assert any(wanted[0][1:] in text for text in under)
    page = html.unescape(write_report(plan, layout, tmp_path / "page").path.read_text())
    for words in (*wanted, f"run {run}: all experts are dead", f"run {run}: stopped: loss is nan"):
        assert page.count(words) == 1
