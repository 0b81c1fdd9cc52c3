"""SLERP and LERP of whole models: against mergekit, by schedule, and in a run's way."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.files.tensors import stored_tensors
from lawcheck.methods import merging

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import merge_oracle as oracle  # noqa: E402

STORED = ROOT / "tests" / "merged_by_mergekit.safetensors"
NAMES = {"reference": oracle.REFERENCE, "linear": oracle.LINEAR}


def write_parents(folder, tied=True, dtype="float32", change=None):
    """Two model folders; change: done to both parents' tensors before they are written."""
    made = oracle.parents(tied)
    if change:
        change(*made)
    for part, tensors in zip(("one", "two"), made, strict=True):
        oracle.write_parent(folder / part, tensors, tied, dtype)
    return folder / "one", folder / "two"


def merged(one, two, schedule, method):
    """Tensors of the merge, as a file of the parents' precision holds them, and its record."""
    found, entries = {}, {}
    kinds = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
    parts = stored_tensors(one), stored_tensors(two)
    for tensor in merging.merged(*parts, merging.SCHEDULES[schedule], method):
        raw = b"".join(merging.as_stored(v, tensor.dtype).tobytes() for v in tensor.values)
        flat = torch.frombuffer(bytearray(raw), dtype=kinds[tensor.dtype])
        found[tensor.name], entries[tensor.name] = flat.view(tensor.shape), tensor.entry
    return found, entries


def compare_with(stored, case, folder):
    """The largest difference from a merge that mergekit made, over the largest number."""
    tied, schedule, method, _, dtype = oracle.CASES[case]
    (name,) = (n for n, s in NAMES.items() if s is schedule)
    one, two = write_parents(folder, tied, dtype)
    ours, entries = merged(one, two, name, "lerp" if method == "linear" else "slerp")
    theirs = {n.partition("/")[2]: t for n, t in stored.items() if n.startswith(f"{case}/")}
    assert ours.keys() == theirs.keys()
    assert ("lm_head.weight" in ours) != tied
    if method == "slerp":
        assert {e["branch"] for e in entries.values()} == {"lerp", "slerp"}
    if dtype == "bfloat16":
        # One rounding of the same numbers; a tie may fall either way.
        same = sum(int((ours[n] == t).sum()) for n, t in theirs.items())
        assert same >= 0.999 * sum(t.numel() for t in theirs.values())
        return 0.0
    return max(float((ours[n] - t).abs().max() / t.abs().max()) for n, t in theirs.items())


@pytest.mark.parametrize("case", oracle.CASES)
def test_every_tensor_is_mergekits(case, tmp_path):
    assert compare_with(load_file(STORED), case, tmp_path) <= 2e-7


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("mergekit"), reason="mergekit is not installed")
def test_mergekit_still_makes_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["merge_oracle.py", str(tmp_path / "again.safetensors")])
    oracle.main()
    for case in oracle.CASES:
        assert (
            compare_with(load_file(tmp_path / "again.safetensors"), case, tmp_path / case) <= 2e-7
        )


def test_slerp_is_the_arc_and_lerp_the_line(tmp_path):
    """At t = 0.5 SLERP is LERP over cos(angle / 2); cosines are those of the flattened tensors."""
    one, two = write_parents(tmp_path, tied=False)
    arc, told = merged(one, two, "flat", "slerp")
    line, twin = merged(one, two, "flat", "lerp")
    first, second = oracle.parents(tied=False)
    for name, entry in told.items():
        a, b = (t[name].astype(np.float64).ravel() for t in (first, second))
        cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        assert entry["cosine"] == twin[name]["cosine"] == pytest.approx(cosine, abs=1e-6)
        assert entry["branch"] == ("lerp" if cosine > 0.9995 else "slerp")
        assert twin[name]["branch"] == "lerp"
        assert torch.allclose(line[name].flatten(), torch.tensor((a + b) / 2).float(), atol=1e-6)
        factor = 1.0 if cosine > 0.9995 else math.cos(math.acos(cosine) / 2)
        assert torch.allclose(arc[name] * factor, line[name], atol=1e-6)


def place(schedule, kind, layer, layers=5):
    name = {"attention": "self_attn.q_proj", "mlp": "mlp.up_proj", "rest": "input_layernorm"}[kind]
    names = [f"model.layers.{k}.{m}.weight" for k in range(layers) for m in KINDS.values()]
    names = dict.fromkeys(["model.embed_tokens.weight", "model.norm.weight", *names])
    return merging.moments(names, merging.SCHEDULES[schedule])[
        f"model.layers.{layer}.{name}.weight"
    ]


KINDS = {"attention": "self_attn.q_proj", "mlp": "mlp.up_proj", "rest": "input_layernorm"}


@pytest.mark.parametrize(
    ("schedule", "attention", "mlp"),
    [
        ("reference", [0, 0.5, 0.3, 0.7, 1], [1, 0.5, 0.7, 0.3, 0]),
        ("linear", [0, 0.3, 0.5, 0.7, 1], [1, 0.7, 0.5, 0.3, 0]),
        ("linear_same", [0, 0.25, 0.5, 0.75, 1], [0, 0.25, 0.5, 0.75, 1]),
        ("flat", [0.5] * 5, [0.5] * 5),
        ("reversed", [1, 0.5, 0.7, 0.3, 0], [0, 0.5, 0.3, 0.7, 1]),
        ("attention_only", [0, 0.5, 0.3, 0.7, 1], [0] * 5),
        ("mlp_only", [0] * 5, [1, 0.5, 0.7, 0.3, 0]),
    ],
)
def test_schedules(schedule, attention, mlp):
    assert [place(schedule, "attention", k) for k in range(5)] == pytest.approx(attention)
    assert [place(schedule, "mlp", k) for k in range(5)] == pytest.approx(mlp)
    assert {place(schedule, "rest", k) for k in range(5)} == {0.5}


def test_a_schedule_is_stretched_over_the_layers():
    """By i / (L - 1): the last layer of any model has the last value."""
    found = [place("reference", "attention", k, layers=3) for k in range(3)]
    assert found == pytest.approx([0, 0.3, 1])
    assert place("reference", "attention", 1, layers=9) == pytest.approx(0.25)
    assert place("reference", "attention", 0, layers=1) == 0


def test_the_first_parent_is_t_0(tmp_path):
    one, two = write_parents(tmp_path)
    found, _ = merged(one, two, "reference", "slerp")
    first, second = oracle.parents(tied=True)
    for name, parent in (
        ("model.layers.0.self_attn.q_proj.weight", first),
        ("model.layers.0.mlp.up_proj.weight", second),
        ("model.layers.4.self_attn.q_proj.weight", second),
        ("model.layers.4.mlp.up_proj.weight", first),
    ):
        assert np.array_equal(found[name], parent[name])


def test_a_tensor_without_direction_counts_as_orthogonal(tmp_path):
    def no_norms(first, second):
        first["model.norm.weight"][:] = 0

    found, entries = merged(*write_parents(tmp_path, change=no_norms), "flat", "slerp")
    assert entries["model.norm.weight"] == {"t": 0.5, "cosine": None, "branch": "slerp"}
    second = oracle.parents(tied=True)[1]["model.norm.weight"]
    assert torch.allclose(found["model.norm.weight"], torch.from_numpy(second) * 0.5**0.5)


def test_large_numbers_are_no_fault(tmp_path):
    def large(first, second):
        for tensors in (first, second):
            tensors["model.norm.weight"] *= 1e25

    _, entries = merged(*write_parents(tmp_path, change=large), "flat", "slerp")
    first, second = (t["model.norm.weight"].astype(np.float64) for t in oracle.parents(tied=True))
    cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert entries["model.norm.weight"]["cosine"] == pytest.approx(cosine, abs=1e-6)


def test_tensors_longer_than_a_piece_are_merged_whole(tmp_path, monkeypatch):
    one, two = write_parents(tmp_path, dtype="bfloat16")
    whole, entries = merged(one, two, "reference", "slerp")
    monkeypatch.setattr(merging, "PIECE", 7)
    again, told = merged(one, two, "reference", "slerp")
    assert all(torch.equal(whole[n], again[n]) for n in whole)
    for name, entry in entries.items():
        assert told[name]["cosine"] == pytest.approx(entry["cosine"], abs=1e-6)


def test_numbers_that_float16_cannot_hold_are_refused():
    with pytest.raises(InputError, match="too large for float16"):
        merging.as_stored(np.array([1.0, 7e4], dtype=np.float32), "F16")


# ------------------------------------------------------------------------------ built by a method


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_a_built_merge_is_saved_with_its_record(family, method, tmp_path):
    from modeling import tiny, tokens

    folders = {}
    for k, name in enumerate(("instruct", "tuned")):
        folders[name] = tmp_path / name
        tiny(family, seed=k).save_pretrained(folders[name])
    module = discovery.method_module(method)
    model = module.build(tiny(family), {"schedule": "linear"}, None, 0, folders)
    module.save(model, tmp_path / "run")
    expected, entries = merged(*folders.values(), "linear", method)
    stored = load_file(tmp_path / "run" / "model.safetensors")
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[n], t) for n, t in expected.items())
    told = json.loads((tmp_path / "run" / merging.RECORD).read_text())
    assert told["method"] == method
    assert told["schedule"] == {"name": "linear", "first": "instruct", "second": "tuned"}
    assert told["tensors"] == entries
    loaded = module.load(tiny(family), tmp_path / "run")
    assert torch.equal(loaded(tokens()).logits, model.eval()(tokens()).logits)


def damaged(change):
    """Change the second parent's tensors."""

    def done(one, two):
        tensors = load_file(two / "model.safetensors")
        change(tensors)
        save_file(tensors, two / "model.safetensors")

    return done


def cut(one, two):
    path = two / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def nan(tensors):
    tensors["model.norm.weight"][3] = float("nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damaged(nan), "'model.norm.weight' holds numbers that are not finite"),
        (damaged(lambda t: t.pop("model.norm.weight")), "'model.norm.weight' is in .* and not in"),
        (
            damaged(lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()})),
            "'lm_head.weight' is in .*both heads tied or untied",
        ),
        (
            damaged(lambda t: t.update({"model.norm.weight": torch.ones(9)})),
            "'model.norm.weight' has shape 8 in .* and 9 in",
        ),
        (
            damaged(lambda t: t.update({"model.norm.weight": torch.ones(8).half()})),
            "has type F32 in .* and F16 in .*precision",
        ),
        (cut, "not a whole safetensors file"),
    ],
)
def test_parents_that_do_not_fit_are_refused_in_one_line(change, said, tmp_path):
    one, two = write_parents(tmp_path)
    change(one, two)
    with pytest.raises(InputError, match=said) as told:
        merged(one, two, "reference", "slerp")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"attention": (0.0, 1.5), "mlp": (0.5,)}, "attention holds 1.5, expected numbers from 0"),
        ({"attention": (), "mlp": (0.5,)}, "attention has no values"),
        ({"attention": (0.5,), "mlp": (float("nan"),)}, "mlp holds nan"),
        ({"attention": (0.5,), "mlp": (0.5,), "rest": -0.1}, "rest holds -0.1"),
    ],
)
def test_t_lies_between_the_parents(given, said):
    with pytest.raises(InputError, match=said):
        merging.Schedule(**given)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["model.layers.0.mlp.up.weight", "model.layers.2.self_attn.q.weight"], "found 2 numbered"),
        (["model.layers.0.mlp.up.weight"], "no tensor of a layer is named as attention"),
        (["model.embed_tokens.weight"], "found 0 numbered layers"),
        (
            ["vision.layers.0.mlp.up.weight", "text.layers.0.self_attn.q.weight"],
            r"layers of 2 stacks \(text.layers, vision.layers\)",
        ),
    ],
)
def test_names_that_a_schedule_would_miss_are_refused(names, said):
    with pytest.raises(InputError, match=said):
        merging.moments(dict.fromkeys(names), merging.SCHEDULES["reference"])
