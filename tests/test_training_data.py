import functools
import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import make_base, make_rows
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from lawcheck.corpus import encoding
from lawcheck.corpus.pieces import PATTERNS, cuts_at_spaces
from lawcheck.errors import InputError
from lawcheck.training import data
from lawcheck.training.base.tokenizer import train_bpe
from lawcheck.training.run import accumulation_steps


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


def test_only_response_and_eos_are_learnt(tokenizer):
    row = {"id": "a", "prompt": "w1 w2 w3", "response": "w4 w5"}
    encoded = data.encode(tokenizer, [row], 64)
    packed = data.pack(encoded, np.array([0]))
    text = tokenizer.decode(packed["input_ids"][0])
    assert text == "<|user|> w1 w2 w3 <|assistant|> w4 w5 <|endoftext|>"
    learnt = packed["labels"][0] != data.IGNORED
    assert tokenizer.decode(packed["labels"][0][learnt]) == "w4 w5 <|endoftext|>"
    assert (packed["labels"][0][learnt] == packed["input_ids"][0][learnt]).all()


CHATML = (
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{% endif %}"
)
EOS = "<|endoftext|>"


@pytest.mark.parametrize("ending", ["", EOS, f"{EOS}\n"])
@pytest.mark.parametrize("known", [None, {}])
def test_text_that_quotes_the_end_of_text_is_learnt_whole(ending, known):
    made = byte_level(None, False)
    made.chat_template = CHATML + ("{% if not add_generation_prompt %}" + ending + "{% endif %}")
    responses = ["It is 4.", f"The token {EOS} does.", f"{EOS}{EOS} twice", f"at its end {EOS}"]
    rows = [
        {"id": str(k), "prompt": f"What is {EOS}?" if k % 2 else "What ends?", "response": r}
        for k, r in enumerate(responses)
    ]
    found = data.encode(made, rows, 400, known)
    assert (found.cut, found.lost) == (0, 0)
    for k, response in enumerate(responses):
        learnt = made.decode(found.sample(k)[int(found.answers[k]) :])
        assert learnt == f"{response}<|im_end|>\n{EOS}"


@pytest.mark.parametrize("ending", ["", EOS])
def test_so_is_text_that_the_template_words_anew(ending):
    made = byte_level(None, False)
    kept = CHATML.replace("m['content']", "m['content'].split('</think>')[-1]")
    made.chat_template = kept + ("{% if not add_generation_prompt %}" + ending + "{% endif %}")
    response = f"<think>{EOS} it is</think>Write {EOS} at last."
    found = data.encode(made, [{"id": "a", "prompt": f"{EOS}?", "response": response}], 400)
    learnt = made.decode(found.sample(0)[int(found.answers[0]) :])
    assert learnt == f"Write {EOS} at last.<|im_end|>\n{EOS}"


def test_long_samples_are_cut_and_counted(tokenizer):
    rows = make_rows(50)
    encoded = data.encode(tokenizer, rows, 12)
    assert encoded.lengths.max() <= 12
    assert encoded.cut > encoded.lost > 0
    assert len(encoded.ids) == 50 - encoded.lost


def test_kept_encodings_change_nothing(tokenizer):
    rows = make_rows(50)
    copies = [{**row, "id": f"{row['id']}#1"} for row in rows[:5]]
    known = {}
    for mixture in (rows[:20], [*rows, *copies], rows[10:]):
        plain = data.encode(tokenizer, mixture, 12)
        kept = data.encode(tokenizer, mixture, 12, known)
        for name, value in vars(plain).items():
            assert np.array_equal(value, getattr(kept, name)), name
    assert len(known) == len({(r["prompt"], r["response"]) for r in rows})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "found none"),
        ([{"id": "a", "prompt": "w1"}], "column 'response'"),
        ([{"id": "a", "prompt": "w1", "response": "w2"}] * 2, "stands twice"),
    ],
)
def test_bad_rows_are_named(tokenizer, rows, said):
    with pytest.raises(InputError, match=said):
        data.encode(tokenizer, rows, 64)


@given(st.sets(st.integers(0, 10_000), max_size=200), st.integers(0, 2**31), st.data())
@settings(max_examples=30, deadline=None)
def test_shared_samples_keep_their_relative_order(ids, seed, draw):
    everything = [f"id#{i}" for i in sorted(ids)]
    some = [i for i in everything if draw.draw(st.booleans())]
    whole = [everything[k] for k in data.order(everything, seed)]
    part = [some[k] for k in data.order(some, seed)]
    assert part == [i for i in whole if i in set(some)]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_every_sample_once_and_in_its_own_batch(tokenizer, parts):
    rows = make_rows(45)
    encoded = data.encode(tokenizer, rows, 64)
    batches = data.MicroBatches(encoded, seed=3, batch_size=8, parts=parts)
    assert len(batches) == 6 * parts
    for step in range(batches.steps):
        members = batches.order[step * 8 : (step + 1) * 8]
        wanted = sorted(tuple(encoded.sample(m).tolist()) for m in members)
        found = []
        for part in range(parts):
            batch = batches[step * parts + part]
            for ids, positions in zip(batch["input_ids"], batch["position_ids"], strict=True):
                begins = [k for k, p in enumerate(positions.tolist()) if p == 0]
                ends = [*begins[1:], None]
                pieces = [ids[a:b].tolist() for a, b in zip(begins, ends, strict=True)]
                found += [tuple(p) for p in pieces if p[0] != 0]
        assert sorted(found) == wanted


def test_packed_samples_do_not_see_each_other(base, tokenizer):
    encoded = data.encode(tokenizer, make_rows(12), 64)
    members = np.argsort(-encoded.lengths, kind="stable")
    packed = data.pack(encoded, members)
    assert packed["input_ids"].shape[0] < 12
    model = AutoModelForCausalLM.from_pretrained(base).double().eval()

    def losses(batch):
        with torch.no_grad():
            out = model(
                input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
            )
        labels = batch["labels"][:, 1:]
        each = torch.nn.functional.cross_entropy(
            out.logits[:, :-1].transpose(1, 2), labels, reduction="none"
        )
        return each[labels != data.IGNORED].sort().values

    alone = torch.cat([losses(data.pack(encoded, members[k : k + 1])) for k in range(12)])
    torch.testing.assert_close(losses(packed), alone.sort().values, rtol=0, atol=1e-12)


def test_accumulation_must_divide():
    assert accumulation_steps(32, 8, 2) == 2
    assert accumulation_steps(8, 32, 1) == 1
    with pytest.raises(InputError, match="not divisible by micro-batch 8 x 3"):
        accumulation_steps(32, 8, 3)


PARTS = [
    *("a", "the", "Wd", "1", "23", "'s", "don't", "?", "!..", "é", "e\u0301", "\u0301", "\ufb01"),
    *("\u4e2d\u6587", "\U0001f600", "<|", " ", "  ", "\n", "\n\n", " \n", "\t", "\x85", "\u3000"),
    *("\x1c", "\0", "<|user|>", "<|assistant|>", "<|endoftext|>", " <|pad|> "),
]
texts = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)
split_off = st.tuples(st.none() | st.sampled_from(sorted(PATTERNS)), st.booleans())


@functools.cache
def byte_level(pattern, stripping):
    """A small BPE as GPT-2, Qwen 2 and Llama 3 split text; special tokens may strip or not."""
    made = train_bpe(["the a don't e\u0301 Wd 123 ?!.. \u4e2d\u6587\n\n a the the"] * 3, 330)
    backend = made.backend_tokenizer
    if pattern is not None:
        backend.normalizer = normalizers.NFC()
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if not stripping:
        plain = json.loads(backend.to_str())
        for token in plain["added_tokens"]:
            token["lstrip"] = token["rstrip"] = False
        template = made.chat_template
        made = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(json.dumps(plain)), eos_token="<|endoftext|>"
        )
        made.chat_template = template
    return made


@given(split_off, st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
@settings(deadline=None, max_examples=150)
def test_pieces_give_the_tokens_of_whole_texts(kind, pairs):
    tokenizer = byte_level(*kind)
    rows = [{"id": str(k), "prompt": p, "response": r} for k, (p, r) in enumerate(pairs)]
    encoder = encoding.Encoder(tokenizer)
    piecewise, whole = encoder._piecewise(rows), encoding._whole(tokenizer, rows)
    if piecewise is None:
        assert any("\0" in p + r or tokenizer.eos_token in p + r for p, r in pairs)
        return
    for name, value in vars(whole).items():
        assert np.array_equal(getattr(piecewise, name), value), name


def test_other_tokenizers_are_left_alone(tokenizer, monkeypatch):
    assert not cuts_at_spaces(tokenizer), "whole words, split at any white space"
    doubled = byte_level(None, True).backend_tokenizer.pre_tokenizer
    monkeypatch.setattr(doubled, "add_prefix_space", True)
    spaced = byte_level.__wrapped__(None, True)
    spaced.backend_tokenizer.pre_tokenizer = doubled
    assert not cuts_at_spaces(spaced)
    rows = [{"id": "a", "prompt": "the a", "response": "Wd"}]
    encoder = encoding.Encoder(byte_level(None, True))
    monkeypatch.setattr(encoder, "_piecewise", lambda rows: encoding.Chunk(*[np.zeros(1, int)] * 3))
    encoder(rows)
    assert encoder._pieces is None, "pieces that differ from the tokenizer are given up"


@given(
    st.lists(st.integers(1, 40), max_size=60).map(lambda n: sorted(n, reverse=True)),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_rows_hold_every_sample_once_within_the_limit(lengths, devices):
    rows = data.balanced_rows(lengths, 40, devices)
    tokens = [sum(lengths[k] for k in row) for row in rows]
    assert sorted(k for row in rows for k in row) == list(range(len(lengths)))
    assert max(tokens) <= 40
    assert tokens == sorted(tokens, reverse=True)
    assert len(rows) % devices == 0


@pytest.mark.parametrize(("parts", "devices"), [(1, 1), (4, 1), (4, 2), (8, 8)])
def test_rows_train_on_the_same_step(base, tokenizer, parts, devices):
    """Loss and gradients of an optimizer batch, dealt as rows of the step or sample by sample."""
    encoded = data.encode(tokenizer, make_rows(21), 64)
    model = AutoModelForCausalLM.from_pretrained(base).double()

    def step(batches, number):
        model.zero_grad()
        total, wide, tokens = 0.0, 0, 0
        for part in range(batches.parts):
            batch = batches[number * batches.parts + part]
            wide = max(wide, batch["input_ids"].shape[1])
            labels = torch.nn.functional.pad(batch.pop("labels")[:, 1:], (0, 1), value=data.IGNORED)
            logits = model(**batch, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="sum"
            )
            loss.backward()
            total += float(loss.detach())
            tokens += batch["input_ids"].numel()
        gradients = [p.grad.clone() for p in model.parameters()]
        return total, gradients, wide, tokens

    alone = data.MicroBatches(encoded, 3, 8, 8)
    rows = data.MicroBatches(encoded, 3, 8, parts, row=64, devices=devices)
    assert rows.steps == alone.steps == 3
    for number in range(3):
        loss, gradients, _, _ = step(alone, number)
        again, others, wide, places = step(rows, number)
        assert again == pytest.approx(loss, rel=1e-12)
        for one, other in zip(gradients, others, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-11)
        assert wide <= 64
        if parts > 1:
            own = encoded.lengths[rows.order[number * 8 : number * 8 + 8]].sum()
            assert own <= places <= own + parts, "one row a micro-batch: nothing is padded"


def test_the_order_is_that_of_the_hashes():
    ids = [f"id{k}" for k in range(500)]
    keys = [hashlib.sha256(f"7\x1f{i}".encode()).digest() for i in ids]
    assert data.order(ids, 7).tolist() == sorted(range(500), key=keys.__getitem__)
    assert data.order([], 7).tolist() == []
