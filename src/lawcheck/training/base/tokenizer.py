"""Tokenizers of the built bases: whole words at proxy scale, byte-level BPE on real text.

Both share special tokens and chat template. Read them back with `load_tokenizer`: beside a Qwen2
config AutoTokenizer silently replaces them by Qwen's own tokenizer class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lawcheck.corpus.encoding import plain_text
from lawcheck.errors import InputError
from lawcheck.planning.shipped import RECORD

EOS, PAD, UNKNOWN = "<|endoftext|>", "<|pad|>", "<|unk|>"
USER, ASSISTANT = "<|user|>", "<|assistant|>"
SPECIAL = (EOS, PAD, UNKNOWN, USER, ASSISTANT)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ ' ' + eos_token }}{% else %}{{ ' ' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_words(vocabulary: Iterable[str], bos: bool = False) -> PreTrainedTokenizerFast:
    """One token per whitespace-separated word. Ids: special tokens, then the sorted words.

    bos: as of lawcheck.declare.scale.BuiltBase. Raises InputError for a word that holds whitespace
    or equals a special token.
    """
    words = sorted(set(vocabulary))
    for word in words:
        if word in SPECIAL or len(word.split()) != 1:
            raise InputError(
                f"vocabulary: found {word!r}, expected one whitespace-free word; correct the "
                f"generator"
            )
    ids = {word: i for i, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrapped(tokenizer, bos)


def train_bpe(texts: Iterable[str], size: int, bos: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE with `size` tokens, special ones included; no text is ever unknown.

    bos: as of lawcheck.declare.scale.BuiltBase.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrapped(tokenizer, bos)


def _wrapped(tokenizer: Tokenizer, bos: bool) -> PreTrainedTokenizerFast:
    # The tokens swallow the spaces around them: an answer is encoded alike whether or not the
    # evaluation harness puts a space between prompt and answer.
    tokenizer.add_special_tokens(
        [AddedToken(t, lstrip=True, rstrip=True, normalized=False, special=True) for t in SPECIAL]
    )
    if bos:
        begins = [(EOS, tokenizer.token_to_id(EOS))]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{EOS} $A", special_tokens=begins
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=EOS if bos else None,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        additional_special_tokens=[USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
    )
    # The harness adds no second one where the template has put it.
    wrapped.chat_template = "{{ bos_token }}" * bos + CHAT_TEMPLATE
    return wrapped


def load_tokenizer(model: Path | str, revision: str = "main") -> Any:
    """The tokenizer of a model: a folder, or a hub's name with its revision.

    For a built base it is the saved one, whatever the architecture: AutoTokenizer goes by the
    model type first, and takes Qwen2Tokenizer for qwen2 even where the folder names another
    class.
    """
    if is_built(model):
        return PreTrainedTokenizerFast.from_pretrained(model)
    return AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)


def is_built(model: Path | str) -> bool:
    """Whether this is the folder of a base that was built here."""
    return (Path(model) / RECORD).is_file()


def encode_samples(
    tokenizer: PreTrainedTokenizerFast, rows: Sequence[dict[str, str]]
) -> list[tuple[list[int], int]]:
    """Per row its token ids (prompt, response, EOS) and the index where the response starts.

    Raises InputError for a word outside the vocabulary.
    """
    texts = [
        tokenizer.apply_chat_template(
            [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["response"]},
            ],
            tokenize=False,
        )
        for row in rows
    ]
    answer = tokenizer.convert_tokens_to_ids(ASSISTANT)
    encoded = _known_words(tokenizer, rows, texts)
    return [(ids, ids.index(answer) + 1) for ids in encoded]


def encode_texts(
    tokenizer: PreTrainedTokenizerFast, rows: Sequence[dict[str, str]]
) -> list[tuple[list[int], int]]:
    """Per row the token ids of its plain text and EOS, and 1: the first token is not learnt.

    That is BOS where the tokenizer has one. Raises InputError for a word outside the vocabulary.
    """
    texts = [str(plain_text(row)) for row in rows]
    encoded = _known_words(tokenizer, rows, texts)
    begin = [] if tokenizer.bos_token is None else [tokenizer.bos_token_id]
    return [([*begin, *ids, tokenizer.eos_token_id], 1) for ids in encoded]


def _known_words(
    tokenizer: PreTrainedTokenizerFast, rows: Sequence[dict[str, str]], texts: Sequence[Any]
) -> list[Any]:
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    for row, text, ids in zip(rows, texts, encoded, strict=True):
        if tokenizer.unk_token_id in ids:
            known = tokenizer.get_vocab()
            word = next(w for w in str(text).split() if w not in known)
            raise InputError(
                f"sample {row['id']!r}: found {word!r}, expected a word of the vocabulary; add "
                f"it to the generator's vocabulary"
            )
    return encoded
