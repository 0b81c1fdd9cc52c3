"""A GGUF file as transformers reads a model: float32 weights, configuration, tokenizer.

For the Llama family with a byte-level BPE, as llama.cpp's converter writes them. transformers opens
such files itself, but leaves out pre-tokenizers that it does not know without saying so; here an
unknown one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from lawcheck.errors import InputError

ARCHITECTURE = "llama"
# llama.cpp's names of tensors, and those of transformers.
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
# Whether digits stand alone, by llama.cpp's name of the pre-tokenizer. GPT-2's expression follows.
DIGITS_ALONE = {"gpt-2": False, "smollm": True}
NORMAL, CONTROL = 1, 3
ROLES = {"unk": "unknown", "pad": "padding"}


class GgufFile:
    """Raises InputError, from `what` on, for a file that is no whole GGUF."""

    def __init__(self, path: Path, what: str) -> None:
        self.what = what
        try:
            self._reader = gguf.GGUFReader(path)
        except (ValueError, IndexError, KeyError, OverflowError) as error:
            raise InputError(
                f"{what}: {path.stat().st_size:,} bytes that are no whole GGUF file "
                f"({str(error)[:80]}); fetch it again, or correct the scale's 'sha256'"
            ) from None
        self._expect("general.architecture", ARCHITECTURE)
        self._expect("tokenizer.ggml.model", "gpt2")
        self._expect("tokenizer.ggml.add_bos_token", False, absent=False)
        self._expect("llama.rope.scaling.type", "none", absent="none")

    def value(self, key: str, absent: Any = None) -> Any:
        """Of the file's metadata. Raises InputError for a key that is neither there nor given."""
        field = self._reader.fields.get(key)
        if field is None and absent is None:
            raise InputError(f"{self.what}: no {key} in its metadata; name another file")
        return absent if field is None else field.contents()

    def _expect(self, key: str, expected: Any, absent: Any = None) -> None:
        found = self.value(key, absent)
        if found != expected:
            raise InputError(
                f"{self.what}: {key} is {found!r}, expected {expected!r}; name another file"
            )

    @property
    def parameters(self) -> int:
        return int(sum(t.n_elements for t in self._reader.tensors))

    def config(self) -> LlamaConfig:
        heads = self.value("llama.attention.head_count")
        width = self.value("llama.embedding_length")
        self._expect("llama.rope.dimension_count", width // heads, absent=width // heads)
        names = {t.name for t in self._reader.tensors}
        return LlamaConfig(
            architectures=["LlamaForCausalLM"],
            dtype="float32",
            vocab_size=len(self.value("tokenizer.ggml.tokens")),
            hidden_size=width,
            intermediate_size=self.value("llama.feed_forward_length"),
            num_hidden_layers=self.value("llama.block_count"),
            num_attention_heads=heads,
            num_key_value_heads=self.value("llama.attention.head_count_kv", heads),
            max_position_embeddings=self.value("llama.context_length"),
            rms_norm_eps=_shortest(self.value("llama.attention.layer_norm_rms_epsilon")),
            rope_parameters={
                "rope_type": "default",
                "rope_theta": _shortest(self.value("llama.rope.freq_base", 10000.0)),
            },
            tie_word_embeddings="output.weight" not in names,
            bos_token_id=self._special("bos"),
            eos_token_id=self._special("eos"),
        )

    def weights(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Names and values as transformers has them. Raises InputError for an unknown tensor."""
        heads = self.value("llama.attention.head_count")
        rows_of = {"attn_q": heads, "attn_k": self.value("llama.attention.head_count_kv", heads)}
        for tensor in self._reader.tensors:
            *block, part, kind = tensor.name.split(".")
            name = LAYER.get(part) if block else OUTSIDE.get(part)
            if name is None or kind != "weight" or block[:-1] not in ([], ["blk"]):
                raise InputError(
                    f"{self.what}: tensor {tensor.name!r} is none of a Llama; name another file"
                )
            try:
                values = gguf.dequantize(tensor.data, tensor.tensor_type)
            except NotImplementedError:
                raise InputError(
                    f"{self.what}: tensor {tensor.name!r} is of type {tensor.tensor_type.name}, "
                    f"which gguf cannot dequantize; name another file"
                ) from None
            if part in rows_of:
                values = _halves_together(values, rows_of[part])
            prefix = f"model.layers.{block[1]}." if block else ""
            yield f"{prefix}{name}.weight", np.ascontiguousarray(values, dtype=np.float32)

    def tokenizer(self, pad: str | None) -> PreTrainedTokenizerFast:
        """pad: the token to pad with; None takes the file's own. Raises InputError."""
        words = self.value("tokenizer.ggml.tokens")
        vocabulary = {word: i for i, word in enumerate(words)}
        name = self.value("tokenizer.ggml.pre")
        if name not in DIGITS_ALONE:
            raise InputError(
                f"{self.what}: pre-tokenizer {name!r} is unknown, expected one of "
                f"{', '.join(sorted(DIGITS_ALONE))}; name another file"
            )
        if pad is not None and pad not in vocabulary:
            raise InputError(f"{self.what}: no token {pad!r} to pad with; correct its 'pad'")
        made = Tokenizer(models.BPE(vocabulary, self._merges()))
        level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits = pre_tokenizers.Digits(individual_digits=True)
        alone = DIGITS_ALONE[name]
        made.pre_tokenizer = pre_tokenizers.Sequence([digits, level]) if alone else level
        made.decoder = decoders.ByteLevel()
        kinds = self.value("tokenizer.ggml.token_type")
        for word, kind in zip(words, kinds, strict=True):
            if kind != NORMAL:
                special = kind == CONTROL
                made.add_tokens([AddedToken(word, normalized=False, special=special)])
        named = {}
        for role in ("bos", "eos", "unk", "pad"):
            number = self._special(role)
            if number is not None:
                named[f"{role}_token"] = words[number]
        wrapped = PreTrainedTokenizerFast(
            tokenizer_object=made,
            model_max_length=self.value("llama.context_length"),
            clean_up_tokenization_spaces=False,
            **(named | ({"pad_token": pad} if pad else {})),
        )
        wrapped.chat_template = self.value("tokenizer.chat_template")
        return wrapped

    def _merges(self) -> list[tuple[str, str]]:
        pairs = [pair.split(" ") for pair in self.value("tokenizer.ggml.merges")]
        return [(one, other) for one, other in pairs]

    def _special(self, role: str) -> int | None:
        found = self.value(f"tokenizer.ggml.{ROLES.get(role, role)}_token_id", absent=-1)
        return None if found == -1 else int(found)


def _shortest(value: float) -> float:
    """The shortest decimal number that the file's float32 stands for: 1e-05, not 9.99999975e-06."""
    return float(str(np.float32(value)))


def _halves_together(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of queries or keys in transformers' order. rows: (heads x head size, inputs).

    llama.cpp rotates neighbours, transformers a head's first half with its second.
    """
    split = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)
