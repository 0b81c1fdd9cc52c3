"""The faster harness model against the harness's own."""

import random

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM
from tiny_world import WORDS, make_base, make_run
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.declare import discovery
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.methods.base import AdapterSettings


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"), seed=5)


def make_model(base, method, **kwargs):
    """A model of `method` whose adapter parameters are all drawn anew."""
    model = AutoModelForCausalLM.from_pretrained(base, **kwargs)
    if method == "base":
        return model.eval()
    module = discovery.method_module(method)
    settings = AdapterSettings(rank=2, alpha=4)
    model = module.build(model, make_run(method).arm.choices, settings, 0, {}).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(0, 0.3, generator=generator)
    return model


def pair(base, model, **kwargs):
    tokenizer = AutoTokenizer.from_pretrained(base)
    arguments = {"pretrained": model, "tokenizer": tokenizer, "batch_size": 7, **kwargs}
    return HFLM(**arguments), PrefixSharingLM(**arguments)


def questions(n, longest=30, options=4):
    rng = random.Random(0)
    requests = []
    for doc in range(n):
        words = rng.choices(WORDS, k=rng.randint(2, longest))
        context = f"<|user|> {' '.join(words)} <|assistant|>"
        for k in range(options):
            option = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
            requests.append(
                Instance("loglikelihood", {}, (context, option), k, metadata=("t", doc, 1))
            )
    rng.shuffle(requests)
    return requests


@pytest.mark.parametrize("method", ["base", "lora", "lora_moe"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_log_likelihoods_are_the_harness_own(base, method, attention):
    model = make_model(base, method, attn_implementation=attention)
    stock, ours = pair(base, model)
    requests = questions(25)
    expected = stock.loglikelihood(requests, disable_tqdm=True)
    found = ours.loglikelihood(requests, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)
    assert [f[1] for f in found] == [e[1] for e in expected]


def test_a_greedy_option_is_seen_as_greedy(base):
    model = make_model(base, "base")
    stock, ours = pair(base, model)
    prompt = "<|user|> w1 w2 w3 <|assistant|>"
    ids = torch.tensor([stock.tok_encode(prompt)])
    made = model.generate(ids, max_new_tokens=3, do_sample=False)[0, ids.shape[1] :]
    greedy = stock.tokenizer.decode(made)
    requests = [
        Instance("loglikelihood", {}, (prompt, text), k) for k, text in enumerate([greedy, "w1 w2"])
    ]
    expected = stock.loglikelihood(requests, disable_tqdm=True)
    assert [e[1] for e in expected] == [True, False]
    found = ours.loglikelihood(requests, disable_tqdm=True)
    assert [f[1] for f in found] == [True, False]


def test_prompts_that_must_be_cut_go_the_harness_way(base):
    stock, ours = pair(base, make_model(base, "base"), max_length=20)
    requests = questions(8)
    expected = stock.loglikelihood(requests, disable_tqdm=True)
    found = ours.loglikelihood(requests, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)
    assert len(ours.paths["loglikelihood"]) == 2


@pytest.mark.parametrize("method", ["base", "lora_moe"])
@pytest.mark.parametrize("until", [["\n"], ["w3", "w7 w"]])
def test_generated_answers_are_the_harness_own(base, method, until):
    stock, ours = pair(base, make_model(base, method))
    kwargs = {"until": until, "do_sample": False, "max_gen_toks": 24}
    requests = [
        Instance("generate_until", {}, (i.args[0], dict(kwargs)), 0, metadata=("t", k, 1))
        for k, i in enumerate(questions(20, options=1))
    ]
    expected = stock.generate_until(requests, disable_tqdm=True)
    assert ours.generate_until(requests, disable_tqdm=True) == expected
    # Some answers end before the limit, some do not: both ways out are taken.
    assert len({len(e.split()) for e in expected}) > 1


def test_sampling_is_left_to_the_harness(base):
    stock, ours = pair(base, make_model(base, "base"))
    kwargs = {"until": ["\n"], "do_sample": True, "temperature": 0.7, "max_gen_toks": 5}
    request = Instance("generate_until", {}, (questions(1)[0].args[0], kwargs), 0)
    answers = []
    for lm in (stock, ours):
        torch.manual_seed(0)
        answers.append(lm.generate_until([request], disable_tqdm=True))
    assert answers[0] == answers[1]


def test_the_harness_knows_it_by_name():
    assert get_model("lawcheck-hf") is PrefixSharingLM
