"""Adapters that peft does not have: modules put around a model's linear layers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings
from lawcheck.methods.targets import check_targets

LAYER = re.compile(r"\.(\d+)\.")


def wrap(
    model: Any, settings: AdapterSettings, seed: int, around: Callable[[Any, int, int], Any]
) -> list[Any]:
    """Put a module around every target of the settings, freeze the rest; return the new modules.

    around: (linear layer, its decoder layer's index, number of decoder layers) -> the module, whose
    parameters are drawn from the seed. Raises InputError for a model that lacks a target.
    """
    check_targets(model, settings.modules)
    model.requires_grad_(False)
    found = [n for n, _ in model.named_modules() if n.rpartition(".")[2] in settings.modules]
    layers = {n: int(at.group(1)) for n in found if (at := LAYER.search(n))}
    count = max(layers.values(), default=-1) + 1
    made = []
    with adapters.seeded(seed):
        for name, layer in layers.items():
            parent, _, own = name.rpartition(".")
            module = around(model.get_submodule(name), layer, count)
            setattr(model.get_submodule(parent), own, module)
            made.append(module)
    return made


def modules(model: Any) -> list[tuple[str, Any]]:
    """(name, module) of every module that `wrap` put there."""
    return [(n, m) for n, m in model.named_modules() if hasattr(m, "base_layer")]


def save(model: Any, folder: Path, kind: str, fields: Mapping[str, Any]) -> None:
    """The trainable tensors, and what the modules are made from."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {n: p.detach().cpu().contiguous() for n, p in _own(model).items()}
    save_file(tensors, folder / adapters.WEIGHTS, metadata={"format": "pt"})
    text = json.dumps({"peft_type": kind, **fields}, indent=2, sort_keys=True)
    (folder / adapters.CONFIG).write_text(text + "\n", encoding="utf-8")


def persistence(
    kind: str, made: str, built: Callable[[Any, dict[str, Any], AdapterSettings, int], Any]
) -> tuple[Callable[[Any, Path], None], Callable[[Any, Path], Any]]:
    """The `save` and `load` of a method whose models keep what they are made from under `made`.

    built: (base model, saved configuration, settings, seed) -> the model. `load` raises InputError
    for a folder that does not fit.
    """

    def saved(model: Any, folder: Path) -> None:
        save(model, folder, kind, getattr(model, made))

    def loaded(base_model: Any, folder: Path) -> Any:
        config = config_of(folder, kind)
        return restore(built(base_model, config, settings_of(config), 0), folder)

    return saved, loaded


def config_of(folder: Path, kind: str) -> dict[str, Any]:
    """Raises InputError for another kind of adapter."""
    config = adapters.read_config(folder)
    if config.get("peft_type") != kind:
        raise InputError(
            f"adapter folder {str(folder)!r}: holds {config.get('peft_type')!r}, expected "
            f"{kind!r}; load it with its own method"
        )
    return config


def restore(model: Any, folder: Path) -> Any:
    """A built model with the tensors of a folder, frozen, in evaluation mode.

    Raises InputError where they are not exactly those the model has.
    """
    import torch
    from safetensors.torch import load_file

    stored, own = adapters.stored_shapes(folder), _own(model)
    for name in sorted(stored.keys() | own.keys()):
        needed = tuple(own[name].shape) if name in own else None
        if stored.get(name) != needed:
            raise InputError(
                f"adapter folder {str(folder)!r}: tensor {name!r} has shape {stored.get(name)}, "
                f"the model needs {needed}; load it on the base model it was trained on"
            )
    with torch.no_grad():
        for name, tensor in load_file(folder / adapters.WEIGHTS).items():
            own[name].copy_(tensor)
    return model.requires_grad_(False).eval()


def settings_fields(settings: AdapterSettings) -> dict[str, Any]:
    return {
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": sorted(settings.modules),
    }


def settings_of(config: Mapping[str, Any]) -> AdapterSettings:
    return AdapterSettings(
        rank=config["r"],
        alpha=config["lora_alpha"],
        dropout=config["lora_dropout"],
        targets=tuple(config["target_modules"]),
    )


def _own(model: Any) -> dict[str, Any]:
    return {n: p for n, p in model.named_parameters() if p.requires_grad}
