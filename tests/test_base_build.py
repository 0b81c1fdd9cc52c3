"""Building, finding and trusting base models."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.corpus import frozen
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.files.hashing import file_sha256
from lawcheck.planning import shipped
from lawcheck.training.base import rows as data_rows
from lawcheck.training.base.build import build_base, token_loss

TINY = {
    "corpus": {"frozen": None},
    "bases": {
        "default": {
            "architecture": {
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
            },
            "mixture": {
                "math": 60,
                "chemistry": 60,
                "biology": 60,
                "medicine": 60,
                "geography": 60,
                "general": 60,
                "out_of_domain": 60,
            },
            "epochs": 1,
            "tokens_per_batch": 512,
            "shipped": "tiny",
        }
    },
}


@pytest.fixture(scope="module")
def scale():
    return load_scale("proxy", TINY)


@pytest.fixture(scope="module")
def built(scale, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases") / "default-s3"
    build_base(scale, "default", 3, folder, progress=False)
    return folder


@pytest.fixture
def package_data(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PACKAGE_DATA", tmp_path / "base_models")
    return tmp_path / "base_models"


def test_two_fresh_processes_build_the_same_bits(scale, built, tmp_path):
    script = (
        "import sys, json; from pathlib import Path\n"
        "from lawcheck.training.base.build import build_base\n"
        "from lawcheck.declare.scale import Scale\n"
        "scale = Scale.model_validate(json.loads(sys.argv[1]))\n"
        "build_base(scale, 'default', int(sys.argv[2]), Path(sys.argv[3]), progress=False)\n"
    )
    hashes = {}
    for label, seed in (("a", 3), ("b", 3), ("other seed", 4)):
        out = tmp_path / label
        subprocess.run(
            [sys.executable, "-c", script, scale.model_dump_json(), str(seed), str(out)], check=True
        )
        hashes[label] = file_sha256(out / "model.safetensors")
    assert hashes["a"] == hashes["b"] == file_sha256(built / "model.safetensors")
    assert hashes["other seed"] != hashes["a"]


@pytest.mark.parametrize("objective", ["response", "text"])
def test_loaded_model_and_padding_change_nothing(objective, scale, built):
    model = AutoModelForCausalLM.from_pretrained(built).eval()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    tokenizer = AutoTokenizer.from_pretrained(built)
    recipe = scale.bases["default"]
    rows = data_rows.pretraining_rows(scale, recipe, None)[::40]
    samples = data_rows.encode(tokenizer, rows, 128, objective)
    batch = data_rows.collate(samples, tokenizer.pad_token_id)
    with torch.inference_mode():
        loss = token_loss(model, batch).item()
        total, count = 0.0, 0
        for sample in samples:
            ids = torch.tensor([sample.ids])
            logits = model(input_ids=ids).logits[0, sample.start - 1 : -1]
            targets = ids[0, sample.start :]
            total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
            count += len(targets)
    assert loss == pytest.approx(total / count, rel=1e-5)
    assert sample.ids[-1] == tokenizer.eos_token_id


def test_a_text_base_learns_whole_texts_without_a_template(scale, built, tmp_path):
    recipe = {**TINY["bases"]["default"], "objective": "text", "bos": True}
    other = load_scale("proxy", {**TINY, "bases": {"default": recipe}})
    record = build_base(other, "default", 3, tmp_path / "text", progress=False)
    assert record["recipe"] == {**scale.base_recipe("default"), "objective": "text", "bos": True}
    plain = json.loads((built / "base.json").read_text())
    # Two tokens of the template less in every row, and one more in front.
    assert record["tokens"] == plain["tokens"] - record["rows"]
    config = json.loads((tmp_path / "text" / "config.json").read_text())
    assert config["bos_token_id"] == config["eos_token_id"]
    assert record["losses"][-1][1] < record["losses"][0][1]


def test_save_and_load_give_identical_logits(built, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(built).eval()
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, again(input_ids=ids).logits)


def test_every_sample_comes_once_an_epoch_in_batches_of_bounded_size(scale, built):
    tokenizer = AutoTokenizer.from_pretrained(built)
    samples = data_rows.encode(
        tokenizer, data_rows.pretraining_rows(scale, scale.bases["default"], None), 128
    )
    batches = data_rows.batches(samples, seed=0, epoch=0, tokens=512)
    assert sorted(s.id for b in batches for s in b) == sorted(s.id for s in samples)
    padded = [data_rows.collate(b, pad=1).ids.numel() for b in batches]
    assert max(padded) <= 512
    assert sum(len(s.ids) for s in samples) / sum(padded) > 0.8
    for other in ({"seed": 1, "epoch": 0}, {"seed": 0, "epoch": 1}):
        assert data_rows.batches(samples, tokens=512, **other) != batches


def test_resolution_prefers_shipped_and_falls_back_to_built(scale, built, package_data, tmp_path):
    assert shipped.resolve_base(scale, "default", 3, tmp_path / "none") is None
    assert shipped.resolve_base(scale, "default", 3, built) == built
    with pytest.raises(InputError, match="seed 3, expected seed 5"):
        shipped.resolve_base(scale, "default", 5, built)
    target = shipped.ship(scale, "default", {3: built}, {3: {"math": 0.5}})
    assert shipped.resolve_base(scale, "default", 3, built) == target / "seed3"
    fourth = tmp_path / "default-s4"
    build_base(scale, "default", 4, fourth, progress=False)
    shipped.ship(scale, "default", {4: fourth}, {4: {"math": 0.5}})
    assert shipped.resolve_base(scale, "default", 3, built) == target / "seed3"
    assert shipped.resolve_base(scale, "default", 4, fourth) == target / "seed4"
    assert shipped.resolve_base(scale, "default", 5, tmp_path / "none") is None
    other = load_scale("proxy", {**TINY, "bases": {"default": {**TINY["bases"]["default"]}}})
    changed = other.model_copy(
        update={"bases": {"default": other.bases["default"].model_copy(update={"epochs": 2})}}
    )
    assert shipped.resolve_base(changed, "default", 3, tmp_path / "none") is None
    assert shipped.resolve_base(changed, "default", 3, built) is None


@pytest.mark.parametrize("damage", ["flip a byte", "truncate", "remove"])
def test_a_corrupt_shipped_file_is_one_line(scale, built, package_data, damage):
    target = shipped.ship(scale, "default", {3: built}, {3: {"math": 0.5}})
    weights = target / "seed3" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    if damage == "remove":
        weights.unlink()
    elif damage == "truncate":
        weights.write_bytes(content[:-1])
    else:
        content[-1] ^= 1
        weights.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors.*lawcheck base --ship --seed 3") as e:
        shipped.resolve_base(scale, "default", 3, built)
    assert "\n" not in str(e.value)
    shipped.ship(scale, "default", {3: built}, {3: {"math": 0.5}})
    assert shipped.resolve_base(scale, "default", 3, built) == target / "seed3"


def test_a_rebuilt_base_is_compared_by_bits_then_by_score(scale, built, package_data, tmp_path):
    shipped.ship(scale, "default", {3: built}, {3: {"math": 0.5}})
    same = shipped.compare(scale, "default", 3, built, {"math": 0.9})
    assert same["same_bits"]
    assert same["agrees"]
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    with (copy / "model.safetensors").open("ab") as stream:
        stream.write(b"\0")
    near = shipped.compare(scale, "default", 3, copy, {"math": 0.52})
    assert not near["same_bits"]
    assert near["agrees"]
    assert not shipped.compare(scale, "default", 3, copy, {"math": 0.9})["agrees"]


def test_shipped_bases_of_the_proxy_scale_are_whole_and_match_the_recipe(tmp_path):
    scale = load_scale("proxy")
    found = {s: shipped.resolve_base(scale, "default", s, tmp_path) for s in range(5)}
    size = sum(f.stat().st_size for folder in found.values() for f in folder.iterdir())
    assert size < 10_000_000
    manifest = json.loads((found[0].parent / shipped.MANIFEST).read_text())
    for entry in manifest["seeds"].values():
        levels = dict(entry["scores"])
        assert levels.pop("general") >= 0.8
        levels.pop("out_of_domain")
        assert len(levels) == 5
        assert all(0.4 <= level <= 0.8 for level in levels.values()), levels


def test_a_changed_generator_is_refused(scale, tmp_path):
    thawed = scale.model_copy(
        update={"corpus": scale.corpus.model_copy(update={"frozen": "0" * 64})}
    )
    with pytest.raises(InputError, match="freeze anew"):
        build_base(thawed, "default", 0, tmp_path / "base", progress=False)
    assert not list(tmp_path.iterdir())


def test_the_generator_digest_ignores_the_checkouts_line_ends(tmp_path, monkeypatch):
    def digest_of(content: bytes) -> str:
        path = tmp_path / "proxy.py"
        path.write_bytes(content)
        monkeypatch.setattr(frozen.generator("proxy"), "generator_files", lambda: [path])
        frozen.generator_digest.cache_clear()
        return frozen.generator_digest("proxy")

    try:
        assert digest_of(b"A = 1\n") == digest_of(b"A = 1\r\n") != digest_of(b"A = 2\n")
    finally:
        monkeypatch.undo()
        frozen.generator_digest.cache_clear()


def test_a_diverging_recipe_writes_nothing(scale, tmp_path: Path):
    recipe = scale.bases["default"].model_copy(
        update={
            "adamw": {
                "learning_rate": 1e30,
                "beta1": 0.9,
                "beta2": 0.95,
                "weight_decay": 0.0,
            }
        }
    )
    broken = scale.model_copy(update={"bases": {"default": recipe}})
    with pytest.raises(InputError, match="lower the learning rates"):
        build_base(broken, "default", 0, tmp_path / "base", progress=False)
    assert not list(tmp_path.iterdir())
