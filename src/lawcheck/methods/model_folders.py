"""Two model folders of anybody's, compared before they are merged.

Everything here would merge without a complaint and answer wrongly: a tokenizer with other ids, a
chat template that one parent never saw, weights that an adapter was never merged into.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files.foreign import check_model
from lawcheck.files.reading import read_object, read_text, short
from lawcheck.files.tensors import Stored, stored_tensors
from lawcheck.methods import merging
from lawcheck.methods.base import ModelShapes

CONFIG, ADAPTER, GENERATION = "config.json", "adapter_config.json", "generation_config.json"
# What a merge takes from its first parent, where it is there.
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
TAKEN = (CONFIG, GENERATION, *TOKENIZER)
# Of a configuration: how it came about, and what shapes no number of a forward pass.
FREE = frozenset(
    {
        "_name_or_path",
        "transformers_version",
        "torch_dtype",
        "dtype",
        "use_cache",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "initializer_range",
        "attention_dropout",
        "pretraining_tp",
    }
)
# Of tokenizer.json: how a caller last used it.
USE = frozenset({"version", "truncation", "padding"})
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
PARTS = ("model", "normalizer", "pre_tokenizer", "post_processor", "decoder")
AGAIN = "fetch or save the model again"
# A tokenizer without a longest text says 10 ** 30.
ANY = json.JSONDecoder()


@dataclass(frozen=True)
class ModelFolder:
    """A folder that transformers loads a whole model from."""

    path: Path

    def __str__(self) -> str:
        return f"model folder {str(self.path)!r}"

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.object(CONFIG)

    @cached_property
    def tensors(self) -> dict[str, Stored]:
        return stored_tensors(self.path)

    @property
    def layers(self) -> int:
        return len({m[1] for n in self.tensors if (m := merging.LAYER.search(n))})

    @property
    def tied(self) -> bool:
        return bool(self.config.get("tie_word_embeddings", False))

    def object(self, name: str) -> dict[str, Any]:
        """What a JSON file holds; nothing where there is none."""
        path = self.path / name
        return read_object(path, AGAIN, f"{self}: {name}", ANY) if path.is_file() else {}

    def check(self) -> None:
        """Raises InputError for a folder that holds no whole model of plain numbers."""
        if not self.path.is_dir():
            raise InputError(f"{self}: is no folder; name a folder that holds a model")
        if (self.path / ADAPTER).is_file():
            raise InputError(f"{self}: {self._adapter()}")
        if not (self.path / CONFIG).is_file():
            raise InputError(f"{self}: expected {CONFIG}; name the folder that holds the model")
        check_model(self.path)
        if self.config.get("quantization_config"):
            raise InputError(
                f"{self}: its weights are quantised; merge the models they were made from"
            )
        inside = next((n for n in self.tensors if "lora_" in n or ".base_layer." in n), None)
        if inside:
            raise InputError(
                f"{self}: tensor {inside!r} is an adapter's; merge it into its model first "
                f"(merge_and_unload of peft), and save that"
            )
        self._check_layers()
        try:
            _ = self.tokenizer, self.template
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self}: its tokenizer's files are not what transformers writes ({short(error)}); "
                f"{AGAIN}"
            ) from None

    def _adapter(self) -> str:
        config = self.object(ADAPTER)
        begun = str(config.get("init_lora_weights", ""))
        kind = str(config.get("peft_type", "unknown"))
        if begun.lower().startswith(("pissa", "olora", "corda")):
            return (
                f"an adapter that began as {begun!r}, which changed the weights below it too; "
                f"merge it into those that it was trained on, not the original ones, and save that"
            )
        return (
            f"an adapter of kind {kind!r}, expected a whole model; merge it first "
            f"(merge_and_unload of peft), and save that"
        )

    def _check_layers(self) -> None:
        """All layers that the configuration names; every number, of kinds that can be counted."""
        found = {int(m[1]) for n in self.tensors if (m := merging.LAYER.search(n))}
        planned = self.config.get("num_hidden_layers", self.config.get("n_layer"))
        if planned is not None and (not isinstance(planned, int) or found != set(range(planned))):
            raise InputError(
                f"{self}: holds weights of {len(found)} layers, {CONFIG} names {planned!r}; {AGAIN}"
            )
        if self.config.get("model_type") not in ("llama", "mistral", "qwen2"):
            return
        # A tied head may be stored all the same.
        heads = [n for n in self.tensors if self.tied and n == "lm_head.weight"]
        held = sum(math.prod(t.shape) for n, t in self.tensors.items() if n not in heads)
        try:
            shapes = ModelShapes.from_config(self.config)
        except InputError as error:
            raise InputError(f"{self}: {CONFIG}: {error}") from None
        biases = any(self.config.get(k) for k in ("attention_bias", "mlp_bias"))
        if not biases and held != shapes.total_parameters:
            raise InputError(
                f"{self}: holds {held:,} numbers, {CONFIG} names a model of "
                f"{shapes.total_parameters:,}; {AGAIN}"
            )

    @cached_property
    def tokenizer(self) -> dict[str, Any]:
        """What makes its tokens, by the words of an error line; empty where there is none."""
        found: dict[str, Any] = {}
        if (self.path / "tokenizer.json").is_file():
            whole = self.object("tokenizer.json")
            model = dict(whole.get("model") or {})
            found["vocabulary"] = model.pop("vocab", None)
            # Written as "a b" by older versions, and as ["a", "b"] by newer ones.
            pairs = model.pop("merges", None) or []
            found["merges"] = [" ".join(m) if isinstance(m, list) else m for m in pairs]
            tokens = whole.get("added_tokens") or []
            found["added tokens"] = sorted((t["id"], t["content"]) for t in tokens)
            found |= {p.replace("_", "-"): _filled(whole.get(p)) for p in PARTS[1:]}
            found["kind of model"] = _filled(model)
        else:
            for name in ("tokenizer.model", "vocab.json", "merges.txt"):
                path = self.path / name
                if path.is_file():
                    found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found:
            return {}
        said = {**self.object("special_tokens_map.json"), **self.object("tokenizer_config.json")}
        for key in SPECIAL:
            token = said.get(key)
            found[key] = token.get("content") if isinstance(token, dict) else token
        for key in ("add_bos_token", "add_eos_token"):
            found[key] = bool(said.get(key, False))
        return found

    @cached_property
    def template(self) -> Any:
        """Its chat template, or templates by name; None without any."""
        path = self.path / "chat_template.jinja"
        more = sorted((self.path / "additional_chat_templates").glob("*.jinja"))
        if path.is_file():
            texts = {p.stem: read_text(p, AGAIN, str(p)) for p in more}
            return {"default": read_text(path, AGAIN, str(path)), **texts}
        other = self.path / "chat_template.json"
        found = self.object("tokenizer_config.json").get("chat_template")
        if other.is_file():
            found = self.object(other.name).get("chat_template")
        if isinstance(found, list):
            return {str(t.get("name")): t.get("template") for t in found}
        return {"default": found} if found else None


def compare(first: ModelFolder, second: ModelFolder) -> list[str]:
    """Notes on what the merge takes from the first of two models. Raises InputError, in one line,
    for what would silently go wrong."""
    if first.path.resolve() == second.path.resolve():
        raise InputError(f"merge: {first} twice; name two models")
    for model in (first, second):
        model.check()
    if first.tied != second.tied:
        tied, other = (first, second) if first.tied else (second, first)
        raise InputError(
            f"merge: the head of {tied} is tied to its embeddings, that of {other} is not; merge "
            f"two models of one kind"
        )
    _compare_configs(first, second)
    merging.check_tensors(first.tensors, second.tensors)
    merging.moments(first.tensors, merging.SCHEDULES["flat"])
    _compare_tokenizers(first, second)
    if first.template != second.template:
        found = "have different chat templates"
        if not (first.template and second.template):
            found = f"have one chat template, that of {(first if first.template else second).path}"
        raise InputError(
            f"merge: {first} and {second} {found}; merge models that were tuned with one template, "
            f"or give both the same"
        )
    notes = [] if first.tokenizer else ["neither model has a tokenizer, and so the merge has none"]
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        ids = first.config.get(key), second.config.get(key)
        if ids[0] != ids[1]:
            notes.append(
                f"{key} is {ids[0]} in the first model and {ids[1]} in the second: {ids[0]}"
            )
    if first.object(GENERATION) != second.object(GENERATION):
        notes.append(f"{GENERATION} is the first model's")
    return notes


def _compare_configs(first: ModelFolder, second: ModelFolder) -> None:
    one, two = first.config, second.config
    for key in ("model_type", "architectures"):
        if one.get(key) != two.get(key):
            raise InputError(
                f"merge: {key} is {one.get(key)!r} in {first} and {two.get(key)!r} in {second}; "
                f"merge two models of one architecture"
            )
    if any(True for _ in _unlike(one, two)):
        # Versions of transformers write one meaning in several ways.
        one, two = _whole(first, one), _whole(second, two)
    for key in _unlike(one, two):
        raise InputError(
            f"merge: {key} is {str(one.get(key))[:40]} in {first} and {str(two.get(key))[:40]} in "
            f"{second}; merge two models of one architecture and setting"
        )


def _unlike(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[str]:
    """Keys of two configurations that differ in more than how they came about."""
    for key in sorted((one.keys() | two.keys()) - FREE):
        if one.get(key) != two.get(key):
            yield key


def _whole(folder: ModelFolder, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with what it leaves at a default."""
    from transformers import AutoConfig

    try:
        kept = {k: v for k, v in config.items() if k != "model_type"}
        found = AutoConfig.for_model(config["model_type"], **kept).to_dict()
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}: transformers cannot read {CONFIG} ({type(error).__name__}); {AGAIN}"
        ) from None
    return dict(json.loads(json.dumps(found, default=str)))


def _compare_tokenizers(first: ModelFolder, second: ModelFolder) -> None:
    one, two = first.tokenizer, second.tokenizer
    if bool(one) != bool(two):
        lacks = second if one else first
        raise InputError(
            f"merge: {lacks} has no tokenizer, the other model has; copy the files of the one that "
            f"it was trained with"
        )
    for key in one:
        if one[key] != two.get(key):
            short = isinstance(one[key], str | bool | None)
            found = f" ({one[key]!r} and {two.get(key)!r})" if short else ""
            raise InputError(
                f"merge: tokenizers of {first} and {second} differ in their {key}{found}; merge "
                f"models that were trained with one tokenizer"
            )


def _filled(value: Any) -> Any:
    """Without the keys that stand for nothing, which versions of tokenizers add."""
    if isinstance(value, dict):
        return {k: _filled(v) for k, v in value.items() if v not in (None, False, "", [], {})}
    return [_filled(v) for v in value] if isinstance(value, list) else value
