"""Scale `gpu`: sized as documented, and walked through on the CPU with a tiny model in bfloat16.

On an accelerator the same walk runs there.
"""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from tiny_world import WORDS  # noqa: F401  (sets one thread)

from lawcheck.corpus import frozen
from lawcheck.corpus.build import build_corpus
from lawcheck.corpus.holders import with_unique_words
from lawcheck.corpus.recipe import planned_rows
from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import science, source_module
from lawcheck.errors import InputError
from lawcheck.methods.base import ModelShapes
from lawcheck.pipeline import stages
from lawcheck.planning.plan import Planner
from lawcheck.scores.files import read_rows
from lawcheck.studies.discipline_laws import arms
from lawcheck.training.base.muon import Muon, orthogonalise
from lawcheck.training.base.score import score_base

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no accelerator here; the walk on the CPU is the test"
))]  # fmt: skip


def tiny(device: str):
    """The scale with a model, a corpus and a test of next to nothing; precision stays."""
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    mixture = dict.fromkeys(load_scale("gpu").bases["default"].mixture, 60)
    return load_scale(
        "gpu",
        {
            "seeds": [0],
            "corpus": {"size": "1/20000", "general_pool": 0},
            "bases": {"default": {"architecture": sizes, "mixture": mixture}},
            "adapter": {"rank": 2},
            "training": {"batch_size": 16},
            "evaluation": {"items": 6, "tune_items": 0, "max_new_tokens": 8},
            "hardware": {"device": device, "micro_batch": 16},
        },
    )


def dtypes(weights) -> set[str]:
    with safe_open(weights, framework="pt") as file:
        return {file.get_slice(k).get_dtype() for k in file.keys()}  # noqa: SIM118


def test_sizes_are_those_of_the_document():
    scale, proxy = load_scale("gpu"), load_scale("proxy")
    assert scale.corpus.frozen == proxy.corpus.frozen == frozen.generator_digest("proxy")
    assert len(scale.seeds) >= 10
    assert (scale.hardware.device, scale.hardware.precision) == ("cuda", "bfloat16")
    words = len(frozen.generator("proxy").vocabulary()) + 5
    for base in scale.bases.values():
        shapes = ModelShapes.from_config({**base.architecture, "vocab_size": words})
        assert 40e6 < shapes.total_parameters < 100e6
        assert base.shipped is None
    rows = [planned_rows(d, scale.corpus.size) for d in science(scale)]
    assert sum(rows) == 32_951
    # The same families as at proxy scale, sizes apart.
    for name, base in scale.bases.items():
        kept = proxy.bases[name].architecture
        for key in ("model_type", "sliding_window", "rope_parameters"):
            assert base.architecture.get(key) == kept.get(key)


def test_upsampling_recipes_differ_at_this_size():
    """In a larger corpus fewer words are discipline-specific; some must be left, and not all."""
    scale = load_scale("gpu")
    rows = {
        d.name: source_module(d, scale).samples("train", planned_rows(d, scale.corpus.size))
        for d in science(scale)
    }
    for name in arms.SCARCE:
        others = [r for n, rs in rows.items() if n != name for r in rs]
        kept = with_unique_words(rows[name], others, scale.corpus.unique_below)
        assert 0.2 < len(kept) / len(rows[name]) < 0.8


@pytest.mark.parametrize("device", DEVICES)
def test_every_method_from_corpus_to_scores(device, tmp_path):
    scale = tiny(device)
    planner, layout = Planner(scale, (0,)), Layout(tmp_path, scale.name)
    build_corpus(scale, layout.corpus)
    folder = stages.build_bases(planner, layout, "default", [0])[0]
    record = json.loads((folder / "base.json").read_text())
    assert (record["device"], record["precision"]) == (device, "bfloat16")
    # Muon must have learnt through bfloat16 products, with float32 weights.
    assert record["losses"][-1][1] < record["losses"][0][1]
    assert set(score_base(folder, scale, items=4)) == set(scale.bases["default"].mixture)

    wanted = [arms.BASE, arms.full(), arms.lora(), arms.lora_comp()]
    wanted += [arms.lora_moe(v) for v in ("plain", "shared_a", "shared_expert", "rank_route")]
    runs = planner.with_parents(planner.runs_of(a, 0)[0] for a in wanted)
    trained = stages.train(planner, layout, list(runs.values()))
    assert sum(entry["trained"] for entry in trained.values()) == len(wanted) - 1 + 5
    scored = {planner.runs_of(a, 0)[0].id: a for a in wanted}
    stages.evaluate(planner, layout, [runs[i] for i in scored])
    for run_id in scored:
        run = runs[run_id]
        rows = read_rows([layout.run_scores(run_id)]).to_pylist()
        items = [r for r in rows if r["metric"] not in ("routing_probability", "diverged")]
        assert len(items) == 42
        assert {r["value"] for r in items} <= {0.0, 1.0}
        assert not any(r["metric"] == "diverged" for r in rows)
        if discovery.method(run.arm.method).routes:
            assert any(r["metric"] == "routing_probability" for r in rows)
        if run.arm.recipe is not None:
            found = json.loads((layout.run(run_id) / "train.json").read_text())
            assert (found["device"], found["precision"]) == (device, "bfloat16")
            # What moves is never rounded to bfloat16 between steps.
            weights = next((layout.run(run_id) / "adapter").glob("*.safetensors"))
            assert run.arm.method == "lora_comp" or dtypes(weights) == {"F32"}


def test_orthogonalisation_survives_bfloat16():
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn((2, 48, 32), generator=generator)
    for dtype, low in ((torch.float32, 0.5), (torch.bfloat16, 0.5)):
        values = torch.linalg.svdvals(orthogonalise(matrices.to(dtype)).float())
        assert low < values.min()
        assert values.max() < 1.4
    weight = torch.nn.Parameter(torch.zeros(48, 32))
    weight.grad = matrices[0]
    Muon([weight], learning_rate=0.1).step()
    assert weight.dtype == torch.float32


def test_a_machine_without_an_accelerator_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    scale = tiny("cuda")
    planner, layout = Planner(scale, (0,)), Layout(tmp_path, scale.name)
    build_corpus(scale, layout.corpus)
    (run,) = planner.runs_of(arms.BASE, 0)
    for stage in (
        lambda: stages.build_bases(planner, layout, "default", [0]),
        lambda: stages.train(planner, layout, [run]),
        lambda: stages.evaluate(planner, layout, [run]),
    ):
        with pytest.raises(InputError, match=r"sees no accelerator.*hardware is 'cpu'") as error:
            stage()
        assert "\n" not in str(error.value)
