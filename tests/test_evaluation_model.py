"""The faster harness model against the harness's own."""

import random
import subprocess
import sys

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM
from tiny_world import WORDS, make_base, make_run
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.declare import discovery
from lawcheck.evaluation import packed
from lawcheck.evaluation.model import OWN, PrefixSharingLM, make_greedy
from lawcheck.evaluation.rows import APART, beginnings
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


def test_an_empty_option_is_answered_as_by_the_harness(base):
    stock, ours = pair(base, make_model(base, "base"))
    texts = (("w1 w2", ""), ("w1 w2", " w3"), ("w4 w5", " w6 w7"))
    requests = [Instance("loglikelihood", {}, text, k) for k, text in enumerate(texts)]
    expected = stock.loglikelihood(requests, disable_tqdm=True)
    assert expected[0] == (0.0, True)
    found = ours.loglikelihood(requests, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)


def test_text_behind_the_end_of_thinking_is_the_harness_own(base):
    """It reads on behind a stop sequence that stands in the thinking."""
    asked = [
        Instance("generate_until", {}, (i.args[0], {"until": ["w3", "w5"], "max_gen_toks": 24}), 0)
        for i in questions(20, options=1)
    ]
    differing = set()
    for word in ("w7", "w9"):
        model = make_model(base, "base")
        answers = [
            lm.generate_until(asked, disable_tqdm=True)
            for lm in pair(base, model, think_end_token=word)
        ]
        assert answers[0] == answers[1]
        differing |= set(answers[0])
    assert len(differing) > 2


@pytest.mark.parametrize("method", ["base", "lora_moe"])
@pytest.mark.parametrize("until", [["\n"], ["w3", "w7 w"]])
@pytest.mark.parametrize("continuous", [True, False])
def test_generated_answers_are_the_harness_own(base, method, until, continuous):
    stock, ours = pair(base, make_model(base, method))
    ours.continuous = continuous
    kwargs = {"until": until, "do_sample": False, "max_gen_toks": 24}
    requests = [
        Instance("generate_until", {}, (i.args[0], dict(kwargs)), 0, metadata=("t", k, 1))
        for k, i in enumerate(questions(20, options=1))
    ]
    expected = stock.generate_until(requests, disable_tqdm=True)
    assert ours.generate_until(requests, disable_tqdm=True) == expected
    # Some answers end before the limit, some do not: both ways out are taken.
    assert len({len(e.split()) for e in expected}) > 1
    assert ours.paths["generate_until"] == [OWN["rows" if continuous else "greedy"]]


def behind(beginning, n):
    """Prompts that begin alike."""
    return [f"{beginning} {q.args[0]}" for q in questions(n, longest=12, options=1)]


def asking(prompts, until, most=16):
    return [
        Instance("generate_until", {}, (p, {"until": until, "max_gen_toks": most}), k)
        for k, p in enumerate(prompts)
    ]


def test_a_row_is_taken_over_by_another_prompt(base):
    """Two tasks, each behind a beginning of its own, three rows at a time."""
    model = make_model(base, "lora_moe")
    stock, ours = pair(base, model, batch_size=3)
    first, second = (" ".join(WORDS[k : k + 30]) for k in (0, 7))
    prompts = [*behind(first, 14), *behind(second, 14)]
    asked = asking(prompts, ["w3", "w5"])
    expected = stock.generate_until(asked, disable_tqdm=True)
    with Calls(model) as shapes:
        assert ours.generate_until(asked, disable_tqdm=True) == expected
    assert ours.paths["generate_until"] == [OWN["rows"]]
    beginning = [shape for shape in shapes if shape[0] == 1 and shape[1] >= 30]
    assert len(beginning) == 2
    assert all(rows <= 3 for rows, _ in shapes)
    # Beside the beginnings, each prompt's own tokens once; the last row alone has no neighbour.
    taken = sum(rows for rows, width in shapes if 1 < width < 30)
    assert taken == len(prompts)
    steps = sum(rows for rows, width in shapes if width == 1)
    assert steps < sum(len(e.split()) + 2 for e in expected)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN")
@pytest.mark.parametrize("method", ["base", "lora", "lora_moe"])
def test_repacked_weights_give_the_same_answers(base, method, monkeypatch):
    model = make_model(base, method)
    stock, ours = pair(base, model)
    asked = asking(behind("w1 w2", 10), ["w3"])
    expected = stock.generate_until(asked, disable_tqdm=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layers, linear = [], packed._linear
    monkeypatch.setattr(packed, "LEAST", 1)
    monkeypatch.setattr(packed, "_linear", lambda *a: layers.append(1) or linear(*a))
    assert ours.generate_until(asked, disable_tqdm=True) == expected
    assert layers
    assert not any("forward" in vars(m) for m in model.modules() if type(m) is torch.nn.Linear)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    layers.clear()
    monkeypatch.setattr(packed, "MOST", 1)
    assert ours.generate_until(asked, disable_tqdm=True) == expected
    assert not layers


def test_numbers_that_are_not_finite_stay_in_their_row(base):
    model = make_model(base, "base")
    stock, ours = pair(base, model, batch_size=2)
    healthy = [f"<|user|> {w} w1 w2 <|assistant|>" for w in ("w3", "w4", "w5", "w6")]
    expected = stock.generate_until(asking(healthy, ["w0"]), disable_tqdm=True)
    word = next(w for w in WORDS[10:] if not any(w in e.split() for e in expected))
    # Tied to the logits too: the output layer keeps numbers.
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        odd = stock.tokenizer.convert_tokens_to_ids(word)
        model.model.embed_tokens.weight[odd] = float("nan")
    sick = [f"<|user|> {word} w1 {w} <|assistant|>" for w in ("w1", "w2")]
    asked = [sick[0], *healthy[:2], sick[1], *healthy[2:]]
    found = ours.generate_until(asking(asked, ["w0"]), disable_tqdm=True)
    assert ours.not_finite == set(sick)
    assert [found[k] for k in (1, 2, 4, 5)] == expected


@pytest.mark.parametrize("method", ["base", "lora_moe"])
def test_a_beginning_of_many_prompts_is_computed_once(base, method):
    model = make_model(base, method)
    stock, ours = pair(base, model)
    examples = " ".join(random.Random(2).choices(WORDS, k=100))
    rng = random.Random(3)
    texts = [
        (prompt, " ".join(rng.choices(WORDS, k=rng.randint(1, 3))))
        for prompt in behind(examples, 9)
        for _ in range(4)
    ]
    requests = requests_on(*texts, ("w1 w2", " w3"))
    expected = stock.loglikelihood(requests, disable_tqdm=True)
    with Calls(model) as shapes:
        found = ours.loglikelihood(requests, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)
    assert [f[1] for f in found] == [e[1] for e in expected]
    assert [shape for shape in shapes if shape[1] >= 100] == [(1, 101)]
    assert OWN["rows"] in ours.paths["loglikelihood"]


def test_beginnings_are_shared_and_leave_a_token():
    rng = random.Random(0)
    subjects = [[k, *rng.choices(range(9), k=300)] for k in range(3)]
    texts = [
        tuple(
            subjects[k][: rng.randint(200, 300)] + rng.choices(range(10, 19), k=rng.randint(0, 9))
        )
        for k in (0, 0, 0, 1, 1, 1, 1, 2)
    ]
    texts += [tuple(rng.choices(range(9), k=50)) for _ in range(5)]
    groups = beginnings(texts, 100)
    assert sorted(k for _, members in groups for k in members) == list(range(len(texts)))
    assert [members for _, members in groups] == [[0, 1, 2], [3, 4, 5, 6], list(range(7, 13))]
    for start, members in groups[:2]:
        assert len({texts[k][:start] for k in members}) == 1
        assert 200 <= start < min(len(texts[k]) for k in members) + 1
        assert all(len(texts[k]) > start for k in members)
    assert groups[2][0] == 0
    # A single beginning has to pay for the passes of its own.
    alike = [(1,) * 200 + (k,) for k in range(2)]
    assert beginnings(alike, 100) == [(0, [0, 1])]
    assert APART > 200


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


def requests_on(*pairs):
    return [
        Instance("loglikelihood", {}, pair, k, metadata=("t", k, 1)) for k, pair in enumerate(pairs)
    ]


class Calls:
    """Shapes of the batches that a model is given."""

    def __init__(self, model):
        self.model, self.shapes = model, []

    def __enter__(self):
        def note(_, args, kwargs):
            self.shapes.append(tuple((args[0] if args else kwargs["input_ids"]).shape))

        self.handle = self.model.register_forward_pre_hook(note, with_kwargs=True)
        return self.shapes

    def __exit__(self, *_):
        self.handle.remove()


def test_options_of_one_context_are_split_by_the_batch(base):
    """400 sentences after an empty context, and more options of one token than 16 bits count."""
    model = make_model(base, "base")
    stock, ours = pair(base, model)
    rng = random.Random(1)
    sentences = requests_on(*(("", " ".join(rng.choices(WORDS, k=8))) for _ in range(400)))
    with Calls(model) as shapes:
        found = ours.loglikelihood(sentences, disable_tqdm=True)
    # hf gives the model 7 rows of 8 places at a time.
    assert max(rows * width for rows, width in shapes) <= 3 * 7 * 8
    expected = stock.loglikelihood(sentences, disable_tqdm=True)
    assert [f[0] for f in found] == pytest.approx([e[0] for e in expected], abs=1e-4)

    one = [(("a", "b"), [5, 6], [7 + k % 20, 9]) for k in range(33_000)]
    few = ours._loglikelihood_tokens(one[:20], disable_tqdm=True)
    many = ours._loglikelihood_tokens(one, disable_tqdm=True)
    assert [m[0] for m in many] == pytest.approx([few[k % 20][0] for k in range(33_000)], abs=1e-4)


def test_what_the_harness_refuses_is_refused_alike(base):
    stock, ours = pair(base, make_model(base, "base"))
    for lm in (stock, ours):
        with pytest.raises(AssertionError):
            lm._loglikelihood_tokens([(("a", ""), [5], [])], disable_tqdm=True)
    asked = ("w1 w2", {"until": [""], "max_gen_toks": 4})
    answers = [
        lm.generate_until([Instance("generate_until", {}, asked, 0)], True) for lm in (stock, ours)
    ]
    assert answers[0] == answers[1]
    assert ours.paths["generate_until"] == ["lm-eval: an empty stop sequence"]


def test_rolling_documents_are_the_harness_own(base):
    stock, ours = pair(base, make_model(base, "base"), max_length=16)
    texts = [" ".join(WORDS[k : k + n]) for k, n in enumerate((3, 15, 16, 17, 35))]
    documents = [Instance("loglikelihood_rolling", {}, (t,), k) for k, t in enumerate(texts)]
    expected = stock.loglikelihood_rolling(documents, disable_tqdm=True)
    assert ours.loglikelihood_rolling(documents, disable_tqdm=True) == expected
    assert ours.paths == {"loglikelihood_rolling": ["lm-eval: rolling documents"]}


def test_a_stop_inside_a_special_token_goes_on_as_the_harness_does(base):
    """The harness decodes answers without special tokens, and so without such a stop."""
    model = make_model(base, "base")
    stock, ours = pair(base, model)
    special = stock.tokenizer.convert_tokens_to_ids("<|user|>")
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.lm_head.weight.data[special] *= 3
    kwargs = {"until": ["<|user|>"], "do_sample": False, "max_gen_toks": 12}
    requests = [
        Instance("generate_until", {}, (i.args[0], dict(kwargs)), 0, metadata=("t", k, 1))
        for k, i in enumerate(questions(20, options=1))
    ]
    expected = stock.generate_until(requests, disable_tqdm=True)
    assert ours.generate_until(requests, disable_tqdm=True) == expected
    assert "lm-eval: a stop sequence inside a special token" in ours.paths["generate_until"]


def test_numbers_that_are_not_finite_are_seen_on_the_harness_way_too(base):
    model = make_model(base, "base")
    model.generation_config.repetition_penalty = 1.2
    _, ours = pair(base, model)
    ours.collects_not_finite = True
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    asked = Instance("generate_until", {}, ("w1 w2", {"until": ["x"], "max_gen_toks": 3}), 0)
    ours.generate_until([asked], disable_tqdm=True)
    assert ours.not_finite == {"w1 w2"}
    assert "repetition_penalty=1.2" in ours.paths["generate_until"][0]


@pytest.mark.parametrize("method", ["base", "lora"])
def test_an_arm_may_declare_plain_greedy_decoding(base, method):
    asked = [
        Instance("generate_until", {}, (q.args[0], {"until": ["x"], "max_gen_toks": 8}), 0)
        for q in questions(4)
    ]
    plain, penalised = make_model(base, method), make_model(base, method)
    inner = penalised.get_base_model() if method == "lora" else penalised
    inner.generation_config.update(repetition_penalty=5.0, num_beams=2)
    answers = []
    for model, greedy in ((plain, False), (penalised, False), (penalised, True)):
        if greedy:
            make_greedy(model)
        answers.append(pair(base, model)[1].generate_until(asked, disable_tqdm=True))
    assert answers[0] == answers[2] != answers[1]


def test_adapters_load_by_path_after_the_import_alone(base, tmp_path):
    make_model(base, "lora_moe").save_pretrained(tmp_path)
    code = (
        "import sys, lawcheck.evaluation.model\n"
        "from lm_eval.api.registry import get_model\n"
        "for name in ('lawcheck-hf', 'hf'):\n"
        "    lm = get_model(name)(pretrained=sys.argv[1], peft=sys.argv[2], device='cpu')\n"
        "    print(type(lm.model.base_model).__name__)\n"
    )
    command = [sys.executable, "-c", code, str(base), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["LoraMoeModel"] * 2
