"""Which architectures were compared with lm-eval's own path and with samples that stand alone.

`architectures.json` is written by benchmarks/architectures.py; LAWCHECK_COMPARED names a further
file of the same form, for architectures that a user has compared. A model is covered only if its
class, every field of its configuration, its attention kernel, its adapters and the installed
versions are those of an entry. Nothing is taken for granted because it is not known to fail.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lawcheck.files.reading import read_object

# options: all options of a question in one row, under a tree-shaped mask. greedy: the decoding
# loop of lawcheck.evaluation.model. rows: attention of lawcheck.evaluation.rows, which takes greedy
# and options for granted. packing: samples in one row, set apart by position ids.
Way = Literal["options", "greedy", "rows", "packing"]
WAYS: tuple[Way, ...] = ("options", "greedy", "rows", "packing")
LIST = Path(__file__).with_name("architectures.json")
PACKAGES = ("transformers", "peft", "lm_eval", "torch")
AGAIN = "write it again with benchmarks/architectures.py"

# Fields that change weights, names or training, but not which tokens see which.
_FREE = frozenset(
    {
        "_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version",
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "id2label", "label2id",
        "problem_type", "tokenizer_class", "tie_word_embeddings", "hidden_act", "activation",
        "activation_function", "hidden_activation", "use_cache", "attention_bias", "mlp_bias",
        "attention_dropout", "head_dim", "intermediate_size", "n_inner", "num_key_value_heads",
        "use_bias", "bias", "_attn_implementation", "dropout", "activation_dropout", "attn_pdrop",
        "embd_pdrop", "resid_pdrop", "hidden_dropout", "embedding_dropout", "residual_dropout",
        "resid_dropout", "attn_dropout", "embed_dropout", "classifier_dropout", "emb_pdrop",
        "summary_first_dropout", "layerdrop",
    }
)  # fmt: skip
_FREE_OF_ADAPTERS = frozenset(
    {
        "base_model_name_or_path", "revision", "task_type", "inference_mode", "auto_mapping",
        "peft_version", "r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules",
        "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "bias",
        "modules_to_save", "init_lora_weights", "use_rslora", "fan_in_fan_out",
        "feedforward_modules",
        "init_ia3_weights", "gate_module", "gate_input", "gate_bias", "gate_init", "gate_dtype",
        "train_experts", "expert_names", "dropout_memory",
    }
)  # fmt: skip
# What a model's own file leaves to others.
_SHARED = (
    "masking_utils",
    "cache_utils",
    "modeling_utils",
    "modeling_rope_utils",
    "integrations.sdpa_attention",
)


def features(config: Mapping[str, Any], free: frozenset[str] = _FREE) -> dict[str, Any]:
    """Fields of a configuration, nested ones as outer/inner, as they are compared.

    Numbers count as numbers whatever their size, except 0; lists as the set of what they hold;
    fields that are not set, and free ones, are left out.
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in free or value is None:
            continue
        if isinstance(value, Mapping):
            found |= {f"{name}/{k}": v for k, v in features(value, free).items()}
        else:
            found[name] = _kind(value)
    return found


def _kind(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return "a number" if value else 0
    if isinstance(value, list | tuple | set | frozenset):
        kinds = {json.dumps(_kind(v), sort_keys=True) for v in value}
        return [json.loads(k) for k in sorted(kinds)]
    return str(value)


@functools.cache
def versions() -> dict[str, str]:
    """Of what was compared; a build's label (torch 2.13.0+cpu) does not count."""
    return {name: importlib.metadata.version(name).partition("+")[0] for name in PACKAGES}


def compared() -> list[dict[str, Any]]:
    """The lists that count here, the package's own first. Raises InputError for a damaged one."""
    return _lists(os.environ.get("LAWCHECK_COMPARED"))


@functools.cache
def _lists(further: str | None) -> list[dict[str, Any]]:
    files = [LIST] if LIST.is_file() else []
    return [read_object(path, AGAIN) for path in [*files, *([Path(further)] if further else [])]]


def why_not(model: Any, way: Way) -> str | None:
    """Why a model does not go this way; None where its like was compared and is equal.

    model: of transformers, or a PeftModel around one.
    """
    here = versions()
    lists = [one for one in compared() if one["versions"] == here]
    if not lists:
        asked = ", ".join(f"{k} {v}" for k, v in here.items())
        return f"no architecture was compared with {asked}"
    inner = _inner(model)
    if isinstance(inner, str):
        return inner
    if way != "options" and getattr(inner, "cached_rows", 1) > 1:
        return "its cache has several rows for a text"
    return _of_model(inner, lists, way) or _of_adapters(model, lists, way)


def _inner(model: Any) -> Any:
    """The model of transformers inside; text where there is none."""
    kind = type(model)
    if kind.__module__.split(".")[0] == "peft":
        model = model.get_base_model()
        kind = type(model)
    if not kind.__module__.startswith("transformers.models."):
        return f"{kind.__name__} is no model class of transformers"
    return model


def _of_model(model: Any, lists: list[dict[str, Any]], way: Way) -> str | None:
    name, config = type(model).__name__, model.config
    entries = [e for one in lists for e in one["architectures"] if e["class"] == name]
    if not entries:
        return f"{name} is not among the compared architectures"
    attention = getattr(config, "_attn_implementation", None)
    mine = features(config.to_dict())
    nearest: list[str] = []
    for entry in entries:
        odd = _differences(mine, entry["features"], type(model))
        if attention not in entry["attention"]:
            odd.append(f"attention {attention!r} was not compared")
        if not odd:
            found = entry.get(way, "not in this way")
            return None if found is True else f"{name}: compared, and {found}"
        if not nearest or len(odd) < len(nearest):
            nearest = odd
    return f"{name}: {nearest[0]}"


def _differences(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], kind: type | None = None
) -> list[str]:
    """kind: the model's class; a field that its code does not name may be there or not."""
    return [
        f"{key} is {mine.get(key)!r}, compared was {theirs.get(key)!r}"
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
        and (key in theirs or kind is None or _is_read(key, kind))
    ]


def _is_read(key: str, kind: type) -> bool:
    """Whether a field that the configuration does not declare is named where models are made."""
    return key.split("/")[0] in _source(kind)


@functools.cache
def _source(kind: type) -> str:
    names = [kind.__module__, *(f"transformers.{name}" for name in _SHARED)]
    return "".join(inspect.getsource(importlib.import_module(name)) for name in names)


def _of_adapters(model: Any, lists: list[dict[str, Any]], way: Way) -> str | None:
    for config in getattr(model, "peft_config", {}).values():
        known = config.to_dict()
        kind = str(getattr(config.peft_type, "value", config.peft_type))
        mine = adapter_features(known)
        entries = [e for one in lists for e in one["adapters"] if e["adapter"] == kind]
        if not entries:
            return f"adapters of kind {kind} were not compared"
        reasons = []
        for entry in entries:
            odd = _differences(mine, entry["features"])
            found = entry.get(way, "not in this way")
            if not odd and found is True:
                break
            reasons.append(odd[0] if odd else f"compared, and {found}")
        else:
            return f"adapter {kind}: {min(reasons, key=lambda r: not r.startswith('compared,'))}"
    return None


def adapter_features(config: Mapping[str, Any]) -> dict[str, Any]:
    """As `features`, of an adapter's configuration. Fields that are off count as not set."""
    found = features(config, _FREE_OF_ADAPTERS)
    return {k: v for k, v in found.items() if v is not False and v != []}
