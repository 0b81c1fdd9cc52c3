"""What every objective must hold, and what the shipped ones compute, against TRL."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_world import WORDS, make_base, make_rows, make_scale
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.corpus.encoding import encode_pairs, encode_text
from lawcheck.corpus.preferences import options, preference_pairs
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Run, arm
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.planning.plan import Planner
from lawcheck.training import data, mixture, record, reference
from lawcheck.training.learnt import learnt_tokens
from lawcheck.training.run import train_run
from lawcheck.training.start import remove_dropout
from lawcheck.training.trainer import TimedCheckpoints

ROOT = Path(__file__).parents[1]
NAMES = sorted(discovery.objectives())
PAIRS = [n for n in NAMES if discovery.objective(n).pairs]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


def scale(**parts):
    """With settings of every objective."""
    found = make_scale(**parts)
    others = discovery.objectives().keys() - {"response"}
    methods = {f"{m}.{o}": s for m, s in found.methods.items() for o in others}
    return found.model_copy(update={"methods": {**found.methods, **methods}})


def run(method="lora", **recipe):
    return Run(arm=arm(method, Recipe(**recipe)), seed=0, scale="tiny", digest="0" * 12)


def task_rows(count, columns=()):
    """Rows of three tasks, of very different numbers of rows, each a discipline too if asked."""
    names = [f"t{min(k % 7, 2)}" for k in range(count)]
    rows = [{**r, "task": t} for r, t in zip(make_rows(count), names, strict=True)]
    if "discipline" in columns:
        rows = [{**r, "discipline": r["task"]} for r in rows]
    return rows


def train(base, out, method="lora", rows=120, seconds=600.0, parts=(), **recipe):
    columns = discovery.objective_module(recipe.get("objective", "response")).OBJECTIVE.columns
    given = task_rows(rows, columns) if isinstance(rows, int) else rows
    chosen = scale(**dict(parts))
    return train_run(run(method, **recipe), chosen, given, base, out, checkpoint_seconds=seconds)


def batches(name, tokenizer, rows=30, batch=12, parts=1, **options):
    """Micro-batches of an objective, with a reference where it needs one."""
    module = discovery.objective_module(name)
    encoded = mixture.encoded(
        task_rows(rows, module.OBJECTIVE.columns), tokenizer, 64, None, module
    )
    made = data.MicroBatches(encoded, 0, batch, parts, **options)
    if module.OBJECTIVE.reference:
        made.reference = np.random.default_rng(0).normal(-9, 2, (len(encoded.ids), 2))
    return made


def gradients(name, model, micro_batches):
    """Loss of one optimizer step over these micro-batches, and the gradient of each tensor."""
    module = discovery.objective_module(name)
    beta = module.OBJECTIVE.weight(Recipe(objective=name))
    counts = sum(module.counts(b) for b in micro_batches)
    counts = getattr(module, "denominators", lambda own: own)(counts)
    model.zero_grad()
    total = 0.0
    for batch in micro_batches:
        tokens, _ = learnt_tokens(model, model, batch)
        loss = (module.loss(tokens, beta) / counts).sum()
        loss.backward()
        total += float(loss)
    return total, {n: p.grad.clone() for n, p in model.named_parameters()}


def same(found, expected, tolerance):
    assert found[0] == pytest.approx(expected[0], rel=tolerance)
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=tolerance, atol=tolerance)


@functools.cache
def double(folder):
    return AutoModelForCausalLM.from_pretrained(folder).double()


# --------------------------------------------------------------------------------- the contract


def test_declarations_need_the_standard_library_only():
    code = (
        "import sys; from lawcheck.declare import discovery; discovery.objectives();"
        "print(sorted({'torch', 'peft', 'transformers', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"response", "text", "dpo", "orpo"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_neither_accumulation_nor_packing_changes_the_step(name, base, tokenizer):
    model = double(base)
    whole = batches(name, tokenizer)
    expected = gradients(name, model, [whole[0]])
    assert math.isfinite(expected[0])
    for packing in ({"parts": 4}, {"parts": 4, "row": 64, "devices": 2}, {"parts": 12}):
        other = batches(name, tokenizer, **packing)
        parts = [other[k] for k in range(other.parts)]
        # In rows of their own, samples are not packed with others at all.
        same(gradients(name, model, parts), expected, 1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_a_micro_batch_without_samples_adds_nothing(name, base, tokenizer):
    made = batches(name, tokenizer, rows=13, batch=12, parts=4)
    # The second step has one sample for four micro-batches.
    last = [made[4 + k] for k in range(4)]
    expected = gradients(name, double(base), last[:1])
    same(gradients(name, double(base), last), expected, 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_its_columns_is_named(name, tokenizer):
    module = discovery.objective_module(name)
    rows = [{"id": "a", "other": "w1"}]
    first = module.OBJECTIVE.columns[0]
    with pytest.raises(InputError, match=f"training row 'a': column '{first}' is None"):
        mixture.encoded(rows, tokenizer, 64, None, module)


def test_tasks_weigh_the_same_however_many_tokens_they_have(base, tokenizer):
    module, model = discovery.objective_module("task_balanced"), double(base)
    rows = task_rows(14)
    means = []
    for task in ("t0", "t1", "t2"):
        own = [r for r in rows if r["task"] == task]
        encoded = mixture.encoded(own, tokenizer, 64, None, discovery.objective_module("response"))
        made = data.MicroBatches(encoded, 0, len(own), 1)[0]
        tokens, _ = learnt_tokens(model, model, made)
        means.append(float(-tokens.log_probabilities.mean()))
    made = data.MicroBatches(mixture.encoded(rows, tokenizer, 64, None, module), 0, 14, 1)
    assert gradients("task_balanced", model, [made[0]])[0] == pytest.approx(sum(means) / 3)
    # A task that the step does not hold does not count.
    lone = [r for r in rows if r["task"] != "t1"]
    encoded = mixture.encoded(lone, tokenizer, 64, None, module)
    encoded = dataclasses.replace(encoded, tasks=encoded.tasks * 2)
    made = data.MicroBatches(encoded, 0, len(lone), 1)
    found = gradients("task_balanced", model, [made[0]])[0]
    assert found == pytest.approx((means[0] + means[2]) / 2)


def test_its_version_enters_the_runs_that_it_trains(monkeypatch):
    planner = functools.partial(Planner, load_scale("smoke"), (0,))

    def ids():
        arms = [arm("full", Recipe(objective=o)) for o in ("response", "dpo")]
        return [planner().runs_of(a, 0)[0].digest for a in arms]

    before = ids()
    newer = {n: dataclasses.replace(o, version=9) for n, o in discovery.objectives().items()}
    monkeypatch.setattr(discovery, "objectives", lambda: newer)
    after = ids()
    # Runs of `response` are older than objectives; its version is the trainer's.
    assert after[0] == before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_method_learns_it(name, base, tmp_path):
    found = train(base, tmp_path, "lora_moe", rows=40, objective=name)
    assert found["steps"] == found["planned_steps"] == 5
    assert found["health"]["tensors_unmoved"] == 0
    assert found.get("objective", "response") == name
    assert record.is_complete(tmp_path, found["run_id"])


def test_a_stranger_adds_one(base, tmp_path, monkeypatch):
    """The objective of docs/adding.md, found in a folder and trained."""
    page = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    text = page.split("# my_objectives/smoothed.py\n")[1].split("```")[0]
    (tmp_path / "smoothed.py").write_text(text)
    monkeypatch.setenv("LAWCHECK_OBJECTIVES", str(tmp_path))
    discovery.forget()
    try:
        found = train(base, tmp_path / "smoothed", rows=40, objective="smoothed")
    finally:
        monkeypatch.undo()
        discovery.forget()
    plain = train(base, tmp_path / "plain", rows=40)
    assert found["objective"] == "smoothed"
    assert found["loss"][0]["loss"] != pytest.approx(plain["loss"][0]["loss"], abs=1e-3)


# ------------------------------------------------------------------------------------ the oracle


@pytest.fixture(scope="module")
def conversations():
    return [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            **{k: [{"role": "assistant", "content": row[k]}] for k in ("chosen", "rejected")},
        }
        for row in preference_pairs(make_rows(12))[0]
    ]


def trl_step(trainer):
    model = trainer.model
    (batch,) = trainer.get_train_dataloader()
    model.zero_grad()
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    return float(loss), {n: p.grad.clone() for n, p in model.named_parameters()}


def trl_options(tmp_path):
    return {
        "output_dir": str(tmp_path),
        "per_device_train_batch_size": 12,
        "max_length": 64,
        "beta": 0.1,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "remove_unused_columns": False,
        "gradient_checkpointing": False,
    }


def test_dpo_is_that_of_trl(base, tokenizer, conversations, tmp_path):
    trl = pytest.importorskip("trl", reason="trl is not installed: it is in the extra 'dev'")
    from datasets import Dataset

    other = make_base(tmp_path / "other", seed=1)
    trainer = trl.DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base).double(),
        ref_model=AutoModelForCausalLM.from_pretrained(other).double(),
        args=trl.DPOConfig(**trl_options(tmp_path / "trl")),
        train_dataset=Dataset.from_list(conversations),
        processing_class=tokenizer,
    )
    expected = trl_step(trainer)
    made = batches("dpo", tokenizer, rows=12)
    with torch.no_grad():
        made.reference = np.zeros((12, 2))
        tokens, _ = learnt_tokens(double(other), double(other), made[0])
        made.reference[made[0]["pairs"]] = tokens.sequence_log_probabilities().numpy()
    assert abs(expected[0] - math.log(2)) > 0.01
    same(gradients("dpo", double(base), [made[0]]), expected, 1e-5)


def test_orpo_is_that_of_trl(base, tokenizer, conversations, tmp_path):
    pytest.importorskip("trl", reason="trl is not installed: it is in the extra 'dev'")
    orpo = pytest.importorskip("trl.experimental.orpo", reason="this trl has no ORPO")
    from datasets import Dataset

    trainer = orpo.ORPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base).double(),
        args=orpo.ORPOConfig(**trl_options(tmp_path)),
        train_dataset=Dataset.from_list(conversations),
        processing_class=tokenizer,
    )
    same(
        gradients("orpo", double(base), [batches("orpo", tokenizer, rows=12)[0]]),
        trl_step(trainer),
        1e-5,
    )


# ------------------------------------------------------------------------------ preference pairs


@pytest.mark.parametrize("method", ["full", "lora", "lora_moe"])
def test_the_first_loss_of_dpo_is_ln_2_whatever_the_dropout(method, base, tmp_path):
    config = json.loads((base / "config.json").read_text())
    dropping = make_base(tmp_path / "base")
    (dropping / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.5}))
    found = train(
        dropping,
        tmp_path / "run",
        method,
        parts={"adapter": {"rank": 2, "dropout": 0.5}},
        objective="dpo",
    )
    first, *rest = (entry["loss"] for entry in found["loss"])
    assert first == pytest.approx(math.log(2), abs=1e-6)
    assert min(rest) < first


def test_dropout_is_removed_from_layers_that_only_keep_a_number(base):
    model = AutoModelForCausalLM.from_pretrained(base, attention_dropout=0.5)
    ids = torch.arange(5, 15)[None]
    expected = model.eval()(input_ids=ids).logits
    assert not torch.equal(model.train()(input_ids=ids).logits, expected)
    remove_dropout(model)
    assert torch.equal(model.train()(input_ids=ids).logits, expected)


@pytest.mark.parametrize("packing", [{}, {"flat": True}, {"row": 64}, {"row": 64, "flat": True}])
def test_a_pair_is_never_split(packing, tokenizer):
    made = batches("dpo", tokenizer, rows=61, batch=16, parts=8, devices=2, **packing)
    seen = []
    for k in range(len(made)):
        batch = made[k]
        seen += batch["pairs"].tolist()
        inside = batch["sequences"][batch["sequences"] >= 0]
        assert inside.unique().tolist() == list(range(2 * len(batch["pairs"])))
        np.testing.assert_array_equal(batch["reference"], made.reference[batch["pairs"]])
        for place, pair in enumerate(batch["pairs"]):
            for side in (0, 1):
                ids = batch["input_ids"][batch["sequences"] == 2 * place + side]
                assert ids.tolist() == made.encoded.sample(2 * pair + side).tolist()
    assert sorted(seen) == list(range(61))


def test_a_killed_run_goes_on_to_the_same_bits_with_its_first_reference(
    base, tmp_path, monkeypatch
):
    whole = train(base, tmp_path / "whole", objective="dpo")

    def killed(self, args, state, control, **kwargs):
        if state.global_step == 6:
            raise KeyboardInterrupt

    out = tmp_path / "cut"
    with monkeypatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(base, out, seconds=0, objective="dpo")
    kept = (out / record.REFERENCE).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(reference, "compute", None)
        resumed = train(base, out, objective="dpo")
    assert resumed["resumed_at_step"] == 6
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["loss"] == whole["loss"]
    assert (out / record.REFERENCE).read_bytes() == kept


def test_a_damaged_reference_takes_the_checkpoints_with_it(base, tmp_path, monkeypatch, capsys):
    whole = train(base, tmp_path / "whole", objective="dpo")

    def killed(self, args, state, control, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(base, tmp_path / "cut", seconds=0, objective="dpo")
    path = tmp_path / "cut" / record.REFERENCE
    path.write_bytes(path.read_bytes()[:-1])
    found = train(base, tmp_path / "cut", objective="dpo")
    assert "computed again, training starts at step 0" in capsys.readouterr().err
    assert found["resumed_at_step"] is None
    assert found["weights_sha256"] == whole["weights_sha256"]


def test_a_reference_belongs_to_its_rows_and_its_start(tokenizer, tmp_path, capsys):
    def pairs(seed):
        return encode_pairs(tokenizer, preference_pairs(make_rows(9, seed))[0], 64)

    values = np.arange(18, dtype=np.float32).reshape(9, 2)
    reference.keep(tmp_path, "run", {"base": "0" * 64}, pairs(0), values)

    def stored(start, seed):
        return reference.stored(tmp_path, "run", start and {"base": start * 64}, pairs(seed))

    np.testing.assert_array_equal(stored("0", 0), values)
    np.testing.assert_array_equal(stored(None, 0), values)
    assert stored("1", 0) is None
    assert stored("0", 1) is None
    first, second = capsys.readouterr().err.splitlines()
    assert "found base 000000000000, expected base 111111111111" in first
    assert "stale" in second


WORKER = """
import sys
from pathlib import Path
import test_objectives as t
from lawcheck.training import sharding
from lawcheck.training.launch import world_size
out = Path(sys.argv[1])
for method, name, stage in t.SHARDED:
    parts = {"hardware": {"micro_batch": 4, "gpus_per_node": world_size(), "zero_stage": stage}}
    t.train(out / "base", out / f"two.{method}.{name}", method, 60, parts=parts, objective=name)
sharding.leave()
"""
SHARDED = (("lora", "dpo", 2), ("full", "dpo", 3), ("lora", "orpo", 2))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_processes_are_one(tmp_path):
    pytest.importorskip("deepspeed", reason="the extra 'deepspeed' is not installed")
    base = make_base(tmp_path / "base")
    code = (
        "import sys; from lawcheck.training.launch import launch; "
        "from lawcheck.declare.scale import Hardware; "
        "sys.exit(launch([sys.executable, '-c', sys.argv[1], sys.argv[2]], "
        "Hardware(micro_batch=1, gpus_per_node=2)))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests"))),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, WORKER, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for method, name, _ in SHARDED:
        one = train(base, tmp_path / f"one.{method}.{name}", method, 60, objective=name)
        folder = tmp_path / f"two.{method}.{name}"
        two = json.loads((folder / record.RECORD).read_text())
        assert (two["world_size"], two["accumulation_steps"]) == (2, 1)
        losses = [[entry["loss"] for entry in found["loss"]] for found in (one, two)]
        np.testing.assert_allclose(losses[1], losses[0], atol=1e-5)
        if name == "dpo":
            alone, shared = (
                load_file(f / record.REFERENCE)[reference.NAME]
                for f in (tmp_path / f"one.{method}.{name}", folder)
            )
            torch.testing.assert_close(shared, alone, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------ rows


def row(name, prompt, response, **columns):
    return {"id": name, "prompt": prompt, "response": response, **columns}


def test_a_rejected_response_is_another_option_or_another_answer():
    inline = row("a", "city ? options : oslo ; rome ; bern", "rome")
    lettered = row("b", "Question: q\nChoices:\nA. x\nB. y\nAnswer:", "B")
    listed = row("c", "which ?", "x", choices=["x", "y"])
    assert [options(r) for r in (inline, lettered, listed)] == [
        ["oslo", "rome", "bern"],
        ["A", "B"],
        ["x", "y"],
    ]
    math = [row(f"m{k}", f"{k} ?", str(k % 2), discipline="math", skill="sum") for k in range(20)]
    alone = row("z", "alone ?", "z", discipline="math", skill="other")
    given = row("g", "p", "ignored", chosen="one", rejected="two")
    rows = [inline, lettered, listed, *math, alone, given]
    made, dropped = preference_pairs(rows)
    assert dropped == 1
    found = {r["id"]: (r["chosen"], r["rejected"]) for r in made}
    assert found.pop("g") == ("one", "two")
    assert found["a"][0] == "rome"
    assert found["a"][1] in ("oslo", "bern")
    assert (found["b"], found["c"]) == (("B", "A"), ("x", "y"))
    assert all(found[f"m{k}"] == (str(k % 2), str(1 - k % 2)) for k in range(20))
    assert "z" not in found
    again, _ = preference_pairs(reversed(rows))
    assert {r["id"]: r for r in again} == {r["id"]: r for r in made}


def test_pairs_are_counted_before_and_after(base, tmp_path):
    alone = row("alone", "w1", "w2", skill="its own")
    long = row("long", " ".join(WORDS * 2), "w1")
    found = train(base, tmp_path, rows=[*make_rows(40), alone, long], objective="orpo")
    assert (found["rows_before"], found["rows_unpaired"], found["rows_lost"]) == (42, 1, 1)
    assert found["rows"] == 40
    assert found["beta"] == 0.1


def test_bad_pairs_are_named(tokenizer, base, tmp_path):
    def encode(**columns):
        encode_pairs(tokenizer, [{"id": "a", "prompt": "w1", **columns}], 64)

    with pytest.raises(InputError, match="row 'a': column 'rejected' is None, expected text"):
        encode(chosen="w1")
    with pytest.raises(InputError, match="row 'a': rejected is empty"):
        encode(chosen="w1", rejected=" ")
    with pytest.raises(InputError, match="row 'a': chosen and rejected are both 'w1'"):
        encode(chosen="w1", rejected="w1 ")
    with pytest.raises(InputError, match="none of 3 rows has a possible rejected response"):
        train(base, tmp_path, rows=[row(f"r{k}", "w1", "w2") for k in range(3)], objective="dpo")
    assert not list(tmp_path.glob("*.json"))


def test_text_is_learnt_whole_and_without_a_template(tokenizer):
    rows = [row("a", "w1 w2", "w3"), {"id": "b", "text": "w4 w5"}]
    encoded = encode_text(tokenizer, rows, 64)
    assert [tokenizer.decode(encoded.sample(k)) for k in (0, 1)] == [
        "w1 w2 w3 <|endoftext|>",
        "w4 w5 <|endoftext|>",
    ]
    packed = data.pack(encoded, np.array([0]))
    assert (packed["labels"][0] != data.IGNORED).tolist() == [False, True, True, True]
    with pytest.raises(InputError, match="row 'c': its text is empty"):
        encode_text(tokenizer, [{"id": "c", "text": ""}], 64)
    with pytest.raises(InputError, match="row 'd': column 'text' is None, expected text"):
        encode_text(tokenizer, [{"id": "d"}], 64)


# ---------------------------------------------------------------------------------------- recipe


def test_a_replica_is_another_order_and_nothing_else(base, tmp_path):
    ids = [f"r{k}" for k in range(50)]
    by_hash = sorted(range(50), key=lambda k: hashlib.sha256(f"0\x1fr{k}".encode()).digest())
    assert data.order(ids, 0).tolist() == data.order(ids, 0, 1).tolist() == by_hash
    assert data.order(ids, 0, 2).tolist() not in (by_hash, data.order(ids, 0, 3).tolist())
    first, second = (train(base, tmp_path / str(k), rows=40, replica=k) for k in (1, 2))
    assert second["weights_sha256"] != first["weights_sha256"]
    assert second["tokens"] == first["tokens"]


def test_a_run_that_stops_early_is_the_beginning_of_the_whole_one(base, tmp_path, monkeypatch):
    whole = train(base, tmp_path / "whole", rows=40, epochs=3)
    assert whole["planned_steps"] == 15
    early = train(base, tmp_path / "early", rows=40, epochs=3, stop_after=2)
    assert (early["steps"], early["planned_steps"]) == (10, 10)
    assert early["loss"] == whole["loss"][:10]
    assert early["tokens"] * 3 == whole["tokens"] * 2

    def killed(self, args, state, control, **kwargs):
        if state.global_step == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(base, tmp_path / "cut", rows=40, seconds=0, epochs=3, stop_after=2)
    resumed = train(base, tmp_path / "cut", rows=40, epochs=3, stop_after=2)
    assert (resumed["resumed_at_step"], resumed["steps"]) == (9, 10)
    assert resumed["weights_sha256"] == early["weights_sha256"]


def test_recipes_that_cannot_be_trained_are_named(base, tmp_path):
    with pytest.raises(InputError, match=r"beta 0\.1, but objective 'response' has none"):
        train(base, tmp_path, beta=0.1)
    with pytest.raises(InputError, match=r"stop_after 2 lies beyond the 1 epochs of scale 'tiny'"):
        train(base, tmp_path, stop_after=2)
    with pytest.raises(InputError, match="objective 'dpp': unknown; nearest: dpo"):
        train(base, tmp_path, objective="dpp")
    with pytest.raises(InputError, match=r"no learning rate for method 'lora\.dpo'"):
        train_run(run(objective="dpo"), make_scale(), make_rows(8), base, tmp_path)
