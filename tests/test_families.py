"""Every family of base models is built, fine-tuned, reloaded and scored alike."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tiny_world import WORDS  # noqa: F401  (sets one thread)
from transformers import AutoModelForCausalLM

from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Run, arm
from lawcheck.declare.scale import load_scale
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.run import EvalJob, evaluate_runs
from lawcheck.methods.base import ModelShapes
from lawcheck.planning.cost import adapter_settings
from lawcheck.scores.files import read_rows
from lawcheck.studies.discipline_laws.laws.base_model import FAMILIES
from lawcheck.training import data
from lawcheck.training.base.build import build_base
from lawcheck.training.base.rows import make_tokenizer, pretraining_rows
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.run import train_run

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
ROWS = ("math", "chemistry", "biology", "medicine", "geography", "general", "out_of_domain")
BASE = {"architecture": SIZES, "mixture": dict.fromkeys(ROWS, 40), "tokens_per_batch": 512}
TINY = {
    "corpus": {"size": "1/50000", "general_pool": 0},
    "bases": dict.fromkeys(FAMILIES, BASE),
    "adapter": {"rank": 2},
    "evaluation": {"items": 6, "tune_items": 0, "max_new_tokens": 8},
}
METHODS = ("lora", "lora_moe", "full")
RUN = Run(arm=arm("lora", Recipe()), seed=0, scale="proxy", digest="0" * 12)


@pytest.fixture(scope="module")
def scale():
    return load_scale("proxy", TINY)


@pytest.fixture(scope="module")
def root(scale, tmp_path_factory):
    """A corpus and a base of each family."""
    folder = tmp_path_factory.mktemp("families")
    build_corpus(scale, folder / "corpus")
    for family in FAMILIES:
        build_base(scale, family, 0, folder / family, progress=False)
    return folder


def rows_of(root: Path, name: str) -> list[dict]:
    return [json.loads(x) for x in (root / "corpus" / f"{name}.train.jsonl").open()]


def run_of(family: str, method: str) -> Run:
    return Run(arm=arm(method, Recipe(), base=family), seed=0, scale="proxy", digest="0" * 12)


def scores(root: Path, out: Path, family: str, methods) -> dict[str, list[dict]]:
    """Also called by a fresh process."""
    runs = {m: run_of(family, m) for m in methods}
    jobs = [
        EvalJob(
            run_id=run.id,
            arm=run.arm.name,
            seed=0,
            method=method,
            base_folder=root / family,
            run_folder=root / "runs" / run.id,
            disciplines=(discovery.discipline("chemistry"), discovery.discipline("math")),
        )
        for method, run in runs.items()
    ]
    evaluate_runs(jobs, load_scale("proxy", TINY), root / "corpus", lambda i: out / f"{i}.parquet")
    return {m: read_rows([out / f"{run.id}.parquet"]).to_pylist() for m, run in runs.items()}


@pytest.fixture(scope="module")
def trained(scale, root):
    """One short run of every method on every family."""
    rows = rows_of(root, "math")[:32] + rows_of(root, "chemistry")[:8]
    records = {}
    for family in FAMILIES:
        for method in METHODS:
            run = run_of(family, method)
            out = root / "runs" / run.id
            records[family, method] = train_run(run, scale, rows, root / family, out)
    return records


def test_the_scale_declares_three_architectures(scale):
    kinds = [scale.bases[f].architecture["model_type"] for f in FAMILIES]
    assert kinds == ["llama", "qwen2", "mistral"]
    assert len({json.dumps(scale.bases[f].mixture) for f in FAMILIES}) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokenizer_of_a_built_base_is_the_saved_one(scale, root, family):
    recipe = scale.bases[family]
    rows = pretraining_rows(scale, recipe, None)[::7]
    texts = [f"{r['prompt']} {r['response']}" for r in rows]
    made = make_tokenizer(scale, recipe, rows)
    expected = made(texts, add_special_tokens=False)["input_ids"]
    lm = PrefixSharingLM(pretrained=str(root / family), device="cpu", batch_size=2)
    for found in (load_tokenizer(root / family), lm.tokenizer):
        assert found(texts, add_special_tokens=False)["input_ids"] == expected
        assert found.chat_template == made.chat_template
        assert len(found) == len(made) == lm.model.config.vocab_size
        assert found.backend_tokenizer.to_str() == made.backend_tokenizer.to_str()
        for token in ("eos_token_id", "pad_token_id", "unk_token_id"):
            assert getattr(found, token) == getattr(made, token)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_samples_do_not_see_each_other(scale, root, family):
    model = AutoModelForCausalLM.from_pretrained(root / family).eval()
    rows = rows_of(root, "math")[:24]
    encoded = data.encode(load_tokenizer(root / family), rows, 128)
    packed = data.MicroBatches(encoded, 0, 24, 1)[0]
    assert len(packed["input_ids"]) < len(rows)

    def loss(ids, labels, **more):
        logits = model(input_ids=ids, use_cache=False, **more).logits[:, :-1].flatten(0, 1)
        return float(torch.nn.functional.cross_entropy(
            logits, labels[:, 1:].flatten(), ignore_index=data.IGNORED, reduction="sum"
        ))  # fmt: skip

    with torch.inference_mode():
        together = loss(packed["input_ids"], packed["labels"], position_ids=packed["position_ids"])
        alone = 0.0
        for member, answer in enumerate(encoded.answers):
            ids = torch.tensor(encoded.sample(member), dtype=torch.long)[None]
            labels = ids.clone()
            labels[0, :answer] = data.IGNORED
            alone += loss(ids, labels)
    assert together == pytest.approx(alone, rel=1e-5)


def test_no_two_families_compute_the_same(root):
    """A Mistral without its window would be the Llama of the same seed, to the bit."""
    texts = [r["prompt"] for r in rows_of(root, "math")[:4]]
    found = {}
    for family in FAMILIES:
        model = AutoModelForCausalLM.from_pretrained(root / family).eval()
        encoded = load_tokenizer(root / family)(texts, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            found[family] = [model(torch.tensor([ids])).logits.sum().item() for ids in encoded]
    assert all(len(set(values)) == len(FAMILIES) for values in zip(*found.values(), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_harness_alone(root, family):
    """Long prompts, so that a sliding window slides."""
    model = AutoModelForCausalLM.from_pretrained(root / family)
    arguments = {"pretrained": model, "tokenizer": load_tokenizer(root / family), "batch_size": 5}
    stock, ours = HFLM(**arguments), PrefixSharingLM(**arguments)
    prompts = [f"<|user|> {r['prompt']} <|assistant|>" for r in rows_of(root, "math")[:12]]
    options = [(p, word) for p in prompts for word in ("1 2", "3", "4 5 6 7")]
    choices = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(options)]
    expected = stock.loglikelihood(choices, disable_tqdm=True)
    found = ours.loglikelihood(choices, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)
    until = {"until": ["####"], "max_gen_toks": 12}
    asked = [Instance("generate_until", {}, (p, until), i) for i, p in enumerate(prompts)]
    assert ours.generate_until(asked, True) == stock.generate_until(asked, True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_of_every_method_moves_what_is_counted(scale, root, trained, family):
    base = AutoModelForCausalLM.from_pretrained(root / family)
    shapes = ModelShapes.from_config(base.config.to_dict())
    assert shapes.total_parameters == base.num_parameters()
    settings = adapter_settings(scale)
    for method in METHODS:
        record = trained[family, method]
        module = discovery.method_module(method)
        assert not record["diverged"]
        assert record["steps"] == 2
        assert record["trainable_parameters"] == module.trainable_parameters(shapes, {}, settings)
        adapter = root / "runs" / run_of(family, method).id / "adapter"
        fresh = AutoModelForCausalLM.from_pretrained(root / family)
        loaded = module.load(fresh, adapter)
        ids = torch.arange(5, 25)[None]
        with torch.inference_mode():
            assert not torch.equal(loaded(input_ids=ids).logits, base(input_ids=ids).logits)


def test_a_fresh_process_scores_the_same(root, trained, tmp_path):
    here = {f: scores(root, tmp_path / "here", f, METHODS) for f in FAMILIES}
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import test_families as t\n"
        "root, out = map(Path, sys.argv[2:])\n"
        "found = {f: t.scores(root, out, f, t.METHODS) for f in t.FAMILIES}\n"
        "Path(out / 'found.json').write_text(json.dumps(found))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(root)]
    subprocess.run([*command, str(tmp_path / "there")], check=True, capture_output=True)
    assert json.loads((tmp_path / "there" / "found.json").read_text()) == here
    for family in FAMILIES:
        for rows in here[family].values():
            assert len([r for r in rows if r["metric"] != "routing_probability"]) == 12
        assert any(r["metric"] == "routing_probability" for r in here[family]["lora_moe"])
