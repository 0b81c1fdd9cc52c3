"""`lawcheck merge`: anybody's two folders, streamed, and what would silently go wrong refused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from modeling import tiny, tokens, word_tokenizer
from safetensors.torch import load_file, save_file

from lawcheck.__main__ import main
from lawcheck.files.hashing import file_sha256
from lawcheck.files.tensors import stored_tensors
from lawcheck.methods import merge_folders, merging

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import merge_oracle as oracle  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An instruct model and a tuned one of its architecture, tied, with a tokenizer."""
    folder = tmp_path_factory.mktemp("parents")
    for k, name in enumerate(("instruct", "tuned")):
        tiny(seed=k).save_pretrained(folder / name)
        word_tokenizer(folder / name)
        (folder / name / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture
def pair(made, tmp_path):
    """A copy to damage."""
    shutil.copytree(made, tmp_path / "models")
    return tmp_path / "models"


def merge(pair, *words):
    out = pair / "merged"
    return main(["merge", str(pair / "instruct"), str(pair / "tuned"), "--out", str(out), *words])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_a_merge_loads_in_transformers(family, dtype, tmp_path, capsys):
    from transformers import AutoModelForCausalLM

    for k, name in enumerate(("instruct", "tuned")):
        # Shards of their own for each parent.
        size = ("20KB", "30KB")[k]
        tiny(family, dtype, k).save_pretrained(tmp_path / name, max_shard_size=size)
    assert merge(tmp_path, "--schedule", "linear") == 0
    assert "neither model has a tokenizer" in capsys.readouterr().out
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert loaded.dtype == dtype
    assert torch.isfinite(loaded(tokens()).logits).all()
    one, two = (tiny(family, dtype, k).state_dict() for k in (0, 1))
    found = loaded.state_dict()
    # Two layers: all of attention is the first parent's at the first, the second's at the last.
    for layer, parent in ((0, one), (1, two)):
        name = f"model.layers.{layer}.self_attn.q_proj.weight"
        assert torch.equal(found[name], parent[name])
    weight = "model.embed_tokens.weight"
    a, b = one[weight].double().flatten(), two[weight].double().flatten()
    angle = torch.acos(a @ b / a.norm() / b.norm())
    middle = (a + b) / (2 * torch.cos(angle / 2))
    step = {torch.float32: 1e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}[dtype]
    assert torch.allclose(found[weight].double().flatten(), middle, rtol=step, atol=1e-6)


def test_shards_are_written_with_an_index(pair, monkeypatch):
    from transformers import AutoModelForCausalLM

    assert merge(pair) == 0
    whole = load_file(pair / "merged" / "model.safetensors")
    shutil.rmtree(pair / "merged")
    monkeypatch.setattr(merge_folders, "SHARD", 9000)
    assert merge(pair) == 0
    assert len(list((pair / "merged").glob("model-*-of-*.safetensors"))) > 2
    loaded = AutoModelForCausalLM.from_pretrained(pair / "merged").state_dict()
    assert all(torch.equal(loaded[n], t) for n, t in whole.items())


def test_a_bfloat16_merge_is_mergekits(tmp_path):
    tied, schedule, _, _, dtype = oracle.CASES["bfloat16"]
    assert schedule is oracle.REFERENCE
    for name, tensors in zip(("instruct", "tuned"), oracle.parents(tied), strict=True):
        oracle.write_parent(tmp_path / name, tensors, tied, dtype)
    assert merge(tmp_path) == 0
    ours = load_file(tmp_path / "merged" / "model.safetensors")
    theirs = load_file(ROOT / "tests" / "merged_by_mergekit.safetensors")
    for name, tensor in ours.items():
        # One last place of bfloat16 at most, where a tie falls the other way.
        assert torch.allclose(tensor.float(), theirs[f"bfloat16/{name}"].float(), rtol=2**-7)
        assert (tensor != theirs[f"bfloat16/{name}"]).float().mean() < 0.01


def test_record_and_card_say_what_was_merged(pair, capsys):
    assert merge(pair, "--lerp", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    out = pair / "merged"
    assert told == json.loads((out / merging.RECORD).read_text())
    assert (told["method"], told["schedule"]["name"]) == ("lerp", "reference")
    assert told["schedule"]["attention"] == [0, 0.5, 0.3, 0.7, 1]
    for name, parent in zip(("instruct", "tuned"), told["parents"], strict=True):
        assert parent["folder"] == name
        assert parent["sha256"]["model.safetensors"] == file_sha256(
            pair / name / "model.safetensors"
        )
    assert told["tensors"].keys() == stored_tensors(out).keys()
    assert "2 layers do not reach all 5 values of schedule reference" in told["notes"]
    card = (out / "README.md").read_text()
    assert "LERP merge" in card
    assert told["parents"][1]["sha256"]["config.json"] in card
    for file in ("config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (out / file).read_bytes() == (pair / "instruct" / file).read_bytes()


def test_a_schedule_may_come_from_a_file(pair, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("attention: [0, 1]\nmlp: 0.25\nrest: 0\n")
    assert merge(pair, "--schedule", str(path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schedule"] == {
        "name": "mine.yaml",
        "attention": [0, 1],
        "mlp": [0.25],
        "rest": 0,
    }
    ts = {n: e["t"] for n, e in told["tensors"].items()}
    assert ts["model.layers.1.self_attn.q_proj.weight"] == 1
    assert ts["model.layers.1.mlp.up_proj.weight"] == 0.25
    assert ts["model.norm.weight"] == 0


def edit(path, change):
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def tensors(change):
    def done(folder):
        path = folder / "model.safetensors"
        found = load_file(path)
        change(found)
        save_file(found, path, {"format": "pt"})

    return done


def of_file(name, change):
    return lambda folder: edit(folder / name, change)


def adapter(**config):
    def done(folder):
        (folder / "adapter_config.json").write_text(json.dumps(config))

    return done


def swapped(vocabulary):
    vocabulary["model"]["vocab"].update({"w2": 3, "w3": 2})


def untied(folder):
    edit(folder / "config.json", lambda c: c.update(tie_word_embeddings=False))
    path = folder / "model.safetensors"
    found = load_file(path)
    found["lm_head.weight"] = found["model.embed_tokens.weight"].clone()
    save_file(found, path, {"format": "pt"})


def nan(found):
    found["model.layers.1.mlp.up_proj.weight"][0, 0] = float("nan")


def indexed(folder):
    places = dict.fromkeys(load_file(folder / "model.safetensors"), "model-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def stale(folder):
    """Shards of an earlier training beside the whole model that transformers loads."""
    tiny(seed=7).save_pretrained(folder / "old", max_shard_size="20KB")
    for path in (folder / "old").glob("model*"):
        shutil.move(path, folder)
    shutil.rmtree(folder / "old")


CASES = {
    "shapes": (
        of_file("config.json", lambda c: c.update(hidden_size=64)),
        "numbers, config.json names a model of",
    ),
    "setting": (
        of_file("config.json", lambda c: c["rope_parameters"].update(rope_theta=5e5)),
        "merge: rope_parameters is .* merge two models of one architecture and setting",
    ),
    "architecture": (
        of_file("config.json", lambda c: c.update(model_type="gemma")),
        "merge: model_type is 'llama' in .* and 'gemma'",
    ),
    "layers": (
        of_file("config.json", lambda c: c.update(num_hidden_layers=3)),
        "holds weights of 2 layers, config.json names 3",
    ),
    "quantised": (
        of_file("config.json", lambda c: c.update(quantization_config={"bits": 4})),
        "its weights are quantised",
    ),
    "eight bits": (
        tensors(lambda t: t.update({"model.norm.weight": torch.ones(32, dtype=torch.int8)})),
        "has type F32 in .* and I8 in|is of type I8",
    ),
    "missing": (
        tensors(lambda t: t.pop("model.layers.0.mlp.up_proj.weight")),
        "numbers, config.json names a model of",
    ),
    "precision": (
        tensors(lambda t: t.update({n: v.half() for n, v in t.items()})),
        "has type F32 in .* and F16 in .*precision",
    ),
    "nan": (tensors(nan), "'model.layers.1.mlp.up_proj.weight' holds numbers that are not finite"),
    "shard": (indexed, "names shard 'model-00001.safetensors', which is not there"),
    "two models": (stale, "beside the shards of .*index.json, two models of which"),
    "odd layers": (
        of_file("config.json", lambda c: c.update(num_hidden_layers="2")),
        "holds weights of 2 layers, config.json names '2'",
    ),
    "no size": (
        of_file("config.json", lambda c: c.pop("hidden_size")),
        "config.json: model shapes: hidden_size is None, expected a whole number above 0",
    ),
    "odd tokens": (
        of_file("tokenizer.json", lambda c: c.update(added_tokens=[1])),
        "its tokenizer's files are not what transformers writes",
    ),
    "odd template": (
        lambda folder: (folder / "chat_template.jinja").write_bytes(b"\xff"),
        "chat_template.jinja, line 1: not UTF-8 text",
    ),
    "untied": (untied, "is tied to its embeddings, that of .* is not"),
    "adapter": (adapter(peft_type="LORA"), "an adapter of kind 'LORA', expected a whole model"),
    "pissa": (
        adapter(peft_type="LORA", init_lora_weights="pissa_niter_4"),
        "began as 'pissa_niter_4', which changed the weights below it too",
    ),
    "adapter inside": (
        tensors(lambda t: t.update({"model.layers.0.mlp.up_proj.lora_A.weight": torch.ones(2)})),
        "is an adapter's; merge it into its model first",
    ),
    "vocabulary": (of_file("tokenizer.json", swapped), "differ in their vocabulary"),
    "special token": (
        of_file("tokenizer_config.json", lambda c: c.update(pad_token="w5")),
        r"differ in their pad_token \('<\|endoftext\|>' and 'w5'\)",
    ),
    "no tokenizer": (
        lambda folder: [p.unlink() for p in folder.glob("tokenizer*")],
        "has no tokenizer, the other model has",
    ),
    "template": (
        lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}"),
        "have different chat templates",
    ),
    "no template": (
        lambda folder: (folder / "chat_template.jinja").unlink(),
        "have one chat template, that of .*instruct",
    ),
    "code": (
        of_file("config.json", lambda c: c.update(auto_map={"AutoModel": "x.Y"})),
        "asks for code of its own",
    ),
    "pickle": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        "found weights only as 'pytorch_model.bin', a pickle",
    ),
    "no folder": (shutil.rmtree, "is no folder"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_would_silently_go_wrong_is_refused_in_one_line(case, pair, capsys):
    import re

    damage, said = CASES[case]
    damage(pair / "tuned")
    capsys.readouterr()
    before = sorted(pair.iterdir())
    assert merge(pair) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert re.search(said, printed.err), printed.err
    assert sorted(pair.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--schedule", "refrence"], "schedule 'refrence': unknown; nearest: reference"),
        (["--schedule", "bad.yaml"], "schedule: mlp holds 1.5, expected numbers from 0"),
        (["--schedule", "odd.yaml"], "found attention, layers, expected attention and mlp"),
        (["--schedule", "none.yaml"], "schedule none.yaml: cannot be read"),
    ],
)
def test_schedules_are_checked(words, said, pair, capsys, monkeypatch):
    monkeypatch.chdir(pair)
    (pair / "bad.yaml").write_text("attention: [0, 1]\nmlp: [1.5]\n")
    (pair / "odd.yaml").write_text("attention: [0, 1]\nlayers: 3\n")
    assert merge(pair, *words) == 2
    assert said in capsys.readouterr().err
    assert not (pair / "merged").exists()


def test_a_folder_that_holds_something_is_left_alone(pair, capsys):
    (pair / "merged").mkdir()
    (pair / "merged" / "mine.txt").write_text("mine")
    assert merge(pair) == 2
    assert "is there and not empty" in capsys.readouterr().err
    assert [p.name for p in (pair / "merged").iterdir()] == ["mine.txt"]


def test_one_model_twice_is_refused(pair, capsys):
    folder = str(pair / "tuned")
    assert main(["merge", folder, folder, "--out", str(pair / "merged")]) == 2
    assert "twice; name two models" in capsys.readouterr().err


def test_versions_of_libraries_write_one_model_in_several_ways(pair):
    """rope_theta for rope_parameters, merges as text, tokens as objects, other provenance."""

    def older(config):
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["transformers_version"] = "4.44.0"
        config.pop("attention_bias", None)

    edit(pair / "tuned" / "config.json", older)
    edit(
        pair / "tuned" / "tokenizer_config.json",
        lambda c: c.update(eos_token={"content": c["eos_token"], "lstrip": False}),
    )
    edit(pair / "tuned" / "tokenizer.json", lambda t: t.update(truncation={"max_length": 5}))
    template = pair / "tuned" / "chat_template.jinja"
    template.unlink()
    edit(
        pair / "tuned" / "tokenizer_config.json",
        lambda c: c.update(chat_template=TEMPLATE),
    )
    assert merge(pair) == 0
