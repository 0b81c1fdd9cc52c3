import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import lm_eval
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from tiny_world import make_base, make_run, make_scale
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.evaluation.run import EvalJob, evaluate_runs
from lawcheck.evaluation.tasks import load_tasks
from lawcheck.scores.files import read_rows
from lawcheck.training.run import train_run

NAMES = ("chemistry", "medicine", "math", "general")
ITEMS = 12


def words_of(value):
    if isinstance(value, str):
        return set(value.split())
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(words_of, values))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A corpus of the proxy world's own questions, a random base, three trained runs."""
    root = tmp_path_factory.mktemp("world")
    rows, words = [], {"options", ":", ";"}
    (root / "corpus").mkdir()
    for name in NAMES:
        source = importlib.import_module(discovery.discipline(name).worlds["proxy"].source)
        for split in ("eval", "train"):
            samples = source.samples(split, ITEMS)
            words |= words_of([{k: v for k, v in s.items() if k != "id"} for s in samples])
            text = "".join(json.dumps(s) + "\n" for s in samples)
            (root / "corpus" / f"{name}.{split}.jsonl").write_text(text)
            rows += samples if split == "train" else []
    base = make_base(root / "base", words=sorted(words))
    for method in ("lora", "lora_moe", "full"):
        train_run(make_run(method), make_scale(), rows, base, root / method)
    return root


def job(world, method, disciplines=NAMES):
    run = make_run(method) if method != "base" else make_run("base")
    return EvalJob(
        run_id=run.id,
        arm=run.arm.name,
        seed=0,
        method=method,
        base_folder=world / "base",
        run_folder=world / method if method != "base" else None,
        disciplines=tuple(discovery.discipline(d) for d in disciplines),
    )


def evaluate(world, out, methods, **kwargs):
    jobs = [job(world, m, **kwargs) for m in methods]
    evaluate_runs(jobs, make_scale(), world / "corpus", lambda i: out / i / "scores.parquet")
    return {j.method: read_rows([out / j.run_id / "scores.parquet"]).to_pylist() for j in jobs}


@pytest.fixture(scope="module")
def scored(world, tmp_path_factory):
    return evaluate(world, tmp_path_factory.mktemp("out"), ["base", "lora", "lora_moe", "full"])


def items(rows, task):
    skip = ("routing_probability", "diverged")
    return {r["item_id"]: r["value"] for r in rows if r["task"] == task and r["metric"] not in skip}


def test_one_row_per_item_as_declared(world, scored):
    for method, rows in scored.items():
        for name in NAMES:
            (declared,) = discovery.discipline(name).worlds["proxy"].tasks
            asked = {
                r["id"]: r
                for r in map(json.loads, (world / "corpus" / f"{name}.eval.jsonl").open())
            }
            own = [r for r in rows if r["task"] == declared.name and r["metric"] == declared.metric]
            assert sorted(r["item_id"] for r in own) == sorted(asked)
            assert all(r["value"] in (0, 1) for r in own)
            assert {(r["arm"], r["seed"]) for r in own} == {(make_run(method).arm.name, 0)}
            for r in own:
                cluster = str(asked[r["item_id"]][declared.cluster]) if declared.cluster else ""
                assert r["cluster"] == cluster


def test_scores_are_those_of_the_harness_alone(world, scored):
    placed = load_tasks(
        map(discovery.discipline, NAMES), make_scale(), world / "corpus", split="eval"
    )
    model = AutoModelForCausalLM.from_pretrained(world / "base")
    model = discovery.method_module("lora_moe").load(model, world / "lora_moe" / "adapter")
    stock = HFLM(
        pretrained=model, tokenizer=AutoTokenizer.from_pretrained(world / "base"), batch_size=16
    )
    results = lm_eval.evaluate(
        stock,
        {"tasks": {p.declared.name: p.task for p in placed}},
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    for p in placed:
        expected = {
            s["doc"]["id"]: s[p.declared.metric] for s in results["samples"][p.declared.name]
        }
        assert items(scored["lora_moe"], p.declared.name) == expected
    assert scored["base"] != scored["lora_moe"]


def test_runs_do_not_touch_each_other(world, scored, tmp_path):
    here = evaluate(world, tmp_path / "here", ["lora_moe"])["lora_moe"]
    assert here == scored["lora_moe"]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from test_evaluation_run import evaluate\n"
        "evaluate(Path(sys.argv[1]), Path(sys.argv[2]), ['full'])\n"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    subprocess.run(
        [sys.executable, "-c", code, str(world), str(tmp_path / "there")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "HF_HUB_OFFLINE": "1"},
        check=True,
        capture_output=True,
    )
    (file,) = (tmp_path / "there").glob("*/scores.parquet")
    assert read_rows([file]).to_pylist() == scored["full"]


def test_rows_that_are_replaced_give_the_same_scores(world, scored, tmp_path):
    scale = make_scale(hardware={"generation": "rows", "evaluation_batch": 5})
    one = job(world, "lora_moe")
    evaluate_runs([one], scale, world / "corpus", lambda i: tmp_path / "s.parquet")
    found = read_rows([tmp_path / "s.parquet"]).to_pylist()
    # Shares of experts are sums over a batch, whose size is another one here.
    assert [r for r in found if r["metric"] != "routing_probability"] == [
        r for r in scored["lora_moe"] if r["metric"] != "routing_probability"
    ]
    holds = json.loads((tmp_path / "s.parquet.origin").read_text())["holds"]
    assert holds["paths"]["generate_until"] == ["rows replaced as they end"]


def test_router_rows_are_shares_of_the_experts(scored):
    shares = {}
    for r in scored["lora_moe"]:
        if r["metric"] == "routing_probability":
            shares.setdefault(r["task"], {})[r["item_id"]] = r["value"]
    assert sorted(shares) == ["proxy_chemistry", "proxy_math", "proxy_medicine"]
    for of_task in shares.values():
        assert sorted(of_task) == [f"expert_{k}" for k in range(5)]
        assert sum(of_task.values()) == pytest.approx(1)
    for method in ("base", "lora", "full"):
        assert not any(r["metric"] == "routing_probability" for r in scored[method])


def test_a_prompt_counts_by_its_own_tokens_only(world, scored):
    from lawcheck.methods.routing import routing_probabilities

    model = AutoModelForCausalLM.from_pretrained(world / "base")
    model = discovery.method_module("lora_moe").load(model, world / "lora_moe" / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(world / "base")
    (placed,) = load_tasks([discovery.discipline("math")], make_scale(), world / "corpus", "eval")
    means = []
    for document in placed.task.test_docs():
        chat = [{"role": "user", "content": document["question"]}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad(), routing_probabilities(model) as record:
            model(input_ids=ids)
        means.append(record[0][0].mean(dim=0))
    expected = torch.stack(means).mean(dim=0).tolist()
    found = [
        r["value"]
        for r in scored["lora_moe"]
        if r["task"] == "proxy_math" and r["metric"] == "routing_probability"
    ]
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_diverged_run_says_so(world, tmp_path):
    folder = world / "lora"
    record = json.loads((folder / "train.json").read_text())
    copy = tmp_path / "diverged"
    copy.mkdir()
    (copy / "adapter").symlink_to(folder / "adapter")
    (copy / "train.json").write_text(json.dumps({**record, "diverged": True}))
    one = job(world, "lora", ["chemistry"])
    one = EvalJob(**{**vars(one), "run_folder": copy})
    evaluate_runs([one], make_scale(), world / "corpus", lambda i: tmp_path / "s.parquet")
    rows = read_rows([tmp_path / "s.parquet"]).to_pylist()
    said = [r for r in rows if r["metric"] == "diverged"]
    assert [(r["task"], r["item_id"], r["value"]) for r in said] == [("train", "", 1.0)]
    assert len(items(rows, "proxy_chemistry")) == ITEMS


def test_a_check_without_its_data_leaves_the_item_unscored(world, tmp_path, monkeypatch):
    from lawcheck.disciplines.general import constraints

    honest, calls = constraints.follows, []

    def without_data(*args):
        calls.append(args)
        if len(calls) == 1:
            raise LookupError("resource not found")
        return honest(*args)

    monkeypatch.setattr(constraints, "follows", without_data)
    rows = evaluate(world, tmp_path, ["base"], disciplines=["general"])["base"]
    assert len(rows) == ITEMS
    assert sum(math.isnan(r["value"]) for r in rows) == 1

    def broken(*args):
        raise KeyError("fault")

    monkeypatch.setattr(constraints, "follows", broken)
    with pytest.raises(KeyError):
        evaluate(world, tmp_path / "again", ["base"], disciplines=["general"])


def test_scored_runs_are_skipped_and_others_refused(world, tmp_path):
    first = evaluate(world, tmp_path, ["base"], disciplines=["chemistry"])
    (file,) = tmp_path.glob("*/scores.parquet")
    stamp = file.stat().st_mtime_ns
    assert evaluate(world, tmp_path, ["base"], disciplines=["chemistry"]) == first
    assert file.stat().st_mtime_ns == stamp
    other = job(world, "lora", ["chemistry"])
    with pytest.raises(InputError, match=r"expected run 'lora\.d100-s0"):
        evaluate_runs([other], make_scale(), world / "corpus", lambda i: file)
    untrained = EvalJob(**{**vars(other), "run_folder": tmp_path / "nowhere"})
    with pytest.raises(InputError, match="train the run first"):
        evaluate_runs([untrained], make_scale(), world / "corpus", lambda i: tmp_path / "x")
    with pytest.raises(InputError, match=r"chemistry\.tune\.jsonl"):
        evaluate_runs(
            [other], make_scale(), world / "corpus", lambda i: tmp_path / "x", split="tune"
        )
    assert not (tmp_path / "x").exists()
