"""Tokenizers survive AutoTokenizer and agree with the harness's way of joining texts."""

from __future__ import annotations

import importlib

import pytest
from lm_eval.models.utils import has_bos_prefix
from transformers import AutoTokenizer, LlamaConfig

from lawcheck import proxy_world
from lawcheck.corpus.encoding import encode, encode_text
from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.training.base import tokenizer as tokenizers

TEXTS = [
    "How many grams of H2O are in 3.5 mol?",
    "A 45-year-old woman has fever; what is next?\nA) rest  B) X-ray",
    "Ünïcode ½ and  two spaces, 東京",
]


def reloaded(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    LlamaConfig(vocab_size=len(tokenizer)).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_every_proxy_text_is_encoded_alike_after_autotokenizer(tmp_path):
    built = tokenizers.build_words(proxy_world.vocabulary())
    loaded = reloaded(built, tmp_path)
    for source in proxy_world.MODULES.values():
        samples = importlib.import_module(source).samples
        rows = samples("pretrain", 300)
        if discovery.discipline(source.split(".")[-2]).role != "out_of_domain":
            rows += samples("train", 300)
        assert tokenizers.encode_samples(built, rows) == tokenizers.encode_samples(loaded, rows)


def test_byte_level_bpe_is_lossless_and_survives_autotokenizer(tmp_path):
    built = tokenizers.train_bpe(TEXTS * 3, 400)
    assert len(built) <= 400
    loaded = reloaded(built, tmp_path)
    for text in [*TEXTS, "wholly unseen: ßž😀"]:
        ids = built(text, add_special_tokens=False)["input_ids"]
        assert ids == loaded(text, add_special_tokens=False)["input_ids"]
        assert loaded.decode(ids) == text
        assert built.unk_token_id not in ids


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_generation_prompt_plus_answer_is_the_training_text(kind, bos):
    if kind == "words":
        tokenizer = tokenizers.build_words(["how", "many", "hens", "2"], bos)
    else:
        tokenizer = tokenizers.train_bpe(TEXTS, 300, bos)
    user = {"role": "user", "content": "how many hens"}
    whole = tokenizer.apply_chat_template(
        [user, {"role": "assistant", "content": "2 hens"}], tokenize=False
    )
    prompt = tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    # The harness joins prompt and option with or without a space.
    for delimiter in ("", " "):
        joined = tokenizer(f"{prompt}{delimiter}2 hens", add_special_tokens=False)["input_ids"]
        assert ids == [*joined, tokenizer.eos_token_id]
    start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    rows = [{"id": "a", "prompt": user["content"], "response": "2 hens"}]
    assert tokenizers.encode_samples(tokenizer, rows) == [(ids, start)]
    assert tokenizer.decode(ids[start:-1]) == "2 hens"


def test_bos_stands_in_front_once_however_a_text_comes_in(tmp_path):
    tokenizers.build_words(["how", "many"], bos=True).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    eos = tokenizer.eos_token_id
    assert tokenizer.bos_token_id == eos
    ((ids, start),) = tokenizers.encode_texts(
        tokenizer, [{"id": "a", "prompt": "how", "response": "many"}]
    )
    assert (ids, start) == ([eos, *tokenizer.convert_tokens_to_ids(["how", "many"]), eos], 1)
    # Continued pretraining begins texts as pretraining did; the harness encodes what the template
    # has put BOS in front of without special tokens.
    rows = [{"id": "a", "prompt": "how", "response": "many"}]
    assert encode_text(tokenizer, rows, 9).sample(0).tolist() == ids
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "how"}], tokenize=False)
    assert has_bos_prefix(asked, tokenizer.bos_token)
    assert encode(tokenizer, rows, 9).sample(0).tolist().count(eos) == 2


def test_an_unknown_word_names_sample_and_word():
    tokenizer = tokenizers.build_words(["known"])
    rows = [{"id": "math.train.7", "prompt": "known riddle", "response": "known"}]
    with pytest.raises(InputError, match=r"math\.train\.7.*riddle"):
        tokenizers.encode_samples(tokenizer, rows)


def test_a_vocabulary_word_with_a_space_is_refused():
    with pytest.raises(InputError, match="two words"):
        tokenizers.build_words(["one", "two words"])
