"""Likelihoods of answers against plain transformers, token by token."""

import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from score_world import SCIENCE, columns
from tiny_world import make_run, make_scale
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from lawcheck.declare import discovery
from lawcheck.evaluation.likelihood import partners
from lawcheck.evaluation.run import EvalJob, evaluate_runs
from lawcheck.scores import load_scores, write_scores
from lawcheck.training.run import train_run

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "likelihood_items.py"
NAMES = ("chemistry", "math", "general")
ITEMS = 12
# The prompt ends in a line break, which lm-eval moves into the option.
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
METRICS = {"bits_per_byte", "p_correct", "p_correct_per_byte", "information"}


def samples(name, split):
    source = importlib.import_module(discovery.discipline(name).worlds["proxy"].source)
    return source.samples(split, ITEMS)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A byte-level tokenizer with a chat template, and a random model."""
    folder = tmp_path_factory.mktemp("base")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|im_start|>", "<|im_end|>"]
    texts = [json.dumps(s) for n in NAMES for s in samples(n, "train")]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|end|>", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=48, max_position_embeddings=512,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None, initializer_range=0.3,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name in NAMES:
        text = "".join(json.dumps(s) + "\n" for s in samples(name, "eval"))
        (folder / f"{name}.eval.jsonl").write_text(text)
    return folder


def evaluated(base, corpus, out, method="base", folder=None, precision="float32", **settings):
    job = EvalJob(
        run_id=make_run(method).id,
        arm=make_run(method).arm.name,
        seed=0,
        method=method,
        base_folder=base,
        run_folder=folder,
        disciplines=tuple(map(discovery.discipline, NAMES)),
    )
    hardware = {"micro_batch": 8, "evaluation_batch": 5, "precision": precision}
    scale = make_scale(hardware=hardware, evaluation=settings)
    evaluate_runs([job], scale, corpus, lambda _: out)
    return load_scores(out)


def log_probability(model, tokenizer, prompt, answer):
    """Of the tokens that end behind the prompt, one text at a time, in float64 at the end."""
    found = tokenizer(prompt + answer, return_offsets_mapping=True, add_special_tokens=False)
    ids = torch.tensor([found["input_ids"]])
    with torch.inference_mode():
        each = torch.log_softmax(model(ids).logits[0].double(), dim=-1)
    own = [k for k, (_, end) in enumerate(found["offset_mapping"]) if end > len(prompt)]
    return sum(float(each[k - 1, ids[0, k]]) for k in own)


def expected(model, tokenizer, rows, texts, answers, right):
    """Every quantity of every item, from its definition."""
    prompts = {
        r["id"]: tokenizer.apply_chat_template(
            [{"role": "user", "content": texts[r["id"]]}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for r in rows
    }
    lent, found = partners(texts), {}
    for r in rows:
        item = r["id"]
        gold = answers[item][right[item]]
        logs = [log_probability(model, tokenizer, prompts[item], a) for a in answers[item]]
        under = log_probability(model, tokenizer, prompts[lent[item]], gold)
        found["bits_per_byte", item] = -logs[right[item]] / math.log(2) / len(gold.encode())
        found["information", item] = (logs[right[item]] - under) / math.log(2)
        if len(answers[item]) > 1:
            for metric, by in (("p_correct", None), ("p_correct_per_byte", answers[item])):
                shares = [
                    math.exp(x / (len(a.encode()) if by else 1))
                    for x, a in zip(logs, answers[item], strict=True)
                ]
                found[metric, item] = shares[right[item]] / sum(shares)
    return found


@pytest.mark.parametrize("method", ["base", "lora_moe"])
def test_likelihoods_are_those_of_plain_transformers(base, corpus, tmp_path, method):
    model, folder = AutoModelForCausalLM.from_pretrained(base), None
    if method != "base":
        rows = [s for n in NAMES for s in samples(n, "train")]
        folder = tmp_path / "run"
        train_run(make_run(method), make_scale(training={"max_length": 256}), rows, base, folder)
        model = discovery.method_module(method).load(model, folder / "adapter")
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    scores = evaluated(base, corpus, tmp_path / "s.parquet", method, folder, likelihood=True)
    plain = evaluated(base, corpus, tmp_path / "plain.parquet", method, folder)
    assert not METRICS & set(plain.metrics)
    chemistry, math_rows = samples("chemistry", "eval"), samples("math", "eval")
    wanted = expected(
        model,
        tokenizer,
        chemistry,
        {r["id"]: f"{r['question']} options : {' ; '.join(r['choices'])}" for r in chemistry},
        {r["id"]: r["choices"] for r in chemistry},
        {r["id"]: r["answer"] for r in chemistry},
    )
    wanted |= expected(
        model,
        tokenizer,
        math_rows,
        {r["id"]: r["question"] for r in math_rows},
        {r["id"]: [r["answer"]] for r in math_rows},
        dict.fromkeys((r["id"] for r in math_rows), 0),
    )
    arm, found = make_run(method).arm.name, {}
    for task in ("proxy_chemistry", "proxy_math"):
        # The score itself does not change.
        assert (scores.cube(arm, task, (0,)) == plain.cube(arm, task, (0,))).all()
        for metric in METRICS:
            for item, value in zip(
                scores.items(arm, task, metric),
                scores.cube(arm, task, (0,), metric)[0] if scores.seeds(arm, task, metric) else (),
                strict=True,
            ):
                found[metric, item] = value
    # An instruction has no gold answer, and one answer is no choice.
    assert {t for t, m in scores.measured if m == "bits_per_byte"} == {
        "proxy_chemistry",
        "proxy_math",
    }
    assert {t for t, m in scores.measured if m == "p_correct"} == {"proxy_chemistry"}
    assert found.keys() == wanted.keys()
    assert found == pytest.approx(wanted, abs=1e-5, rel=1e-5)
    assert min(abs(v) for (m, _), v in found.items() if m == "information") > 1e-3


def test_the_softmax_of_bfloat16_logits_is_taken_in_float32(base, corpus, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    scores = evaluated(base, corpus, tmp_path / "s.parquet", precision="bfloat16", likelihood=True)
    rows = samples("math", "eval")
    texts = {r["id"]: r["question"] for r in rows}
    answers = {r["id"]: [r["answer"]] for r in rows}
    wanted = expected(model, tokenizer, rows, texts, answers, dict.fromkeys(texts, 0))
    arm = make_run("base").arm.name
    items = scores.items(arm, "proxy_math", "bits_per_byte")
    found = scores.cube(arm, "proxy_math", (0,), "bits_per_byte")[0]
    off = [v - wanted["bits_per_byte", i] for i, v in zip(items, found, strict=True)]
    # Rows of other lengths round some logits otherwise; a softmax in bfloat16 moves every item by
    # some 0.01.
    assert np.median(np.abs(off)) < 1e-4


def test_a_likelihood_that_follows_accuracy_with_less_noise_needs_fewer_items(tmp_path):
    """Levels of arms on one line: the effects of either metric mean the same."""
    law = discovery.law("share_then_specialize")
    rng = np.random.default_rng(0)
    level = {a: 0.4 + 0.02 * k for k, a in enumerate(law.arms)}
    rows = columns(level, 3, 100, SCIENCE, 0.005)
    sure = {c: list(v) for c, v in rows.items()} | {"metric": ["p_correct"] * len(rows["value"])}
    arms = {a.name: v for a, v in level.items()}
    sure["value"] = [arms[a] + rng.normal(0, 0.02) for a in rows["arm"]]
    write_scores({c: rows[c] + sure[c] for c in rows}, tmp_path / "scores.parquet")
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), str(tmp_path / "scores.parquet"), f"--law={law.name}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = {line.split(" | ")[1]: line.split(" | ") for line in done.stdout.splitlines()[2:]}
    assert "no likelihood form" in printed["specialise"][-1]
    assert printed["parity"][3] == "not measured"
    share, correlation = re.search(r"\((\S+), r (\S+)\)", printed["parity"][4]).groups()
    assert float(share) < 0.1
    assert float(correlation) > 0.9


def test_partners_are_a_derangement_within_classes_of_length():
    texts = {f"q{k}": "x" * (20 + 7 * k) for k in range(200)}
    found = partners(texts)
    assert found == partners(dict(reversed(texts.items())))
    assert sorted(found) == sorted(found.values()) == sorted(texts)
    assert all(a != b for a, b in found.items())
    assert all(len(texts[a]).bit_length() == len(texts[b]).bit_length() for a, b in found.items())
    # One item of a length of its own borrows from the nearest class; a single item from nobody.
    lone = partners({"a": "x", "b": "x" * 40, "c": "x" * 50, "d": "x" * 900})
    assert sorted(lone.values()) == ["a", "b", "c", "d"]
    assert partners({"a": "x"}) == {}
