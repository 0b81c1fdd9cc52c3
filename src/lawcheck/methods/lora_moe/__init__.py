"""LoRA-MoE: low-rank experts on every adapted module, mixed per token by one gate per layer.

The adapter is a PEFT method of its own. `register` makes it known to peft; taking LoraMoeConfig
from here (or from lawcheck) registers it too. Importing the package loads neither torch nor peft.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes
from lawcheck.methods.lora_moe import arithmetic
from lawcheck.methods.lora_moe.arithmetic import VARIANTS

if TYPE_CHECKING:
    from lawcheck.methods.lora_moe.config import LoraMoeConfig
    from lawcheck.methods.lora_moe.layer import LoraMoeGate, LoraMoeLinear
    from lawcheck.methods.lora_moe.model import LoraMoeModel
    from lawcheck.methods.routing import routing_probabilities

__all__ = [
    "METHOD",
    "VARIANTS",
    "LoraMoeConfig",
    "LoraMoeGate",
    "LoraMoeLinear",
    "LoraMoeModel",
    "adapter_bytes",
    "add_experts",
    "added_parameters",
    "build",
    "load",
    "register",
    "routing_probabilities",
    "save",
    "trainable_parameters",
]

METHOD = Method(
    name="lora_moe",
    title="LoRA-MoE",
    short="LoRA-MoE",
    version=1,
    trains="experts (A, B) per adapted module and one gate per decoder layer",
    group="peft",
    design={"variant": "plain", "experts": 5, "rank_multiple": 1},
    choices={"variant": VARIANTS},
    routes=True,
)

save = adapters.save_adapter

_HOMES = {
    "LoraMoeConfig": "lora_moe.config",
    "LoraMoeModel": "lora_moe.model",
    "LoraMoeGate": "lora_moe.layer",
    "LoraMoeLinear": "lora_moe.layer",
    "routing_probabilities": "routing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    register()
    return getattr(importlib.import_module(f"lawcheck.methods.{_HOMES[name]}"), name)


def register() -> None:
    """Make the method known to peft; calling it again does nothing.

    Needed before an adapter folder is loaded by path. Loads torch and peft.
    """
    from lawcheck.methods.lora_moe import registration

    registration.register()


def build(model: Any, design: Design, settings: AdapterSettings, seed: int, *_: Any) -> Any:
    """A PeftModel that equals `model` until it is trained.

    Its initial weights depend on `seed`, the design and the model's shapes only.
    """
    chosen = METHOD.validate(design)
    fields = {"num_experts": chosen["experts"], "variant": chosen["variant"]}
    return add_experts(model, settings.times(chosen["rank_multiple"]), seed, **fields)


def add_experts(model: Any, settings: AdapterSettings, seed: int, **fields: Any) -> Any:
    """A PeftModel with experts and gates. fields: of LoraMoeConfig, beyond the settings'."""
    register()
    from lawcheck.methods.lora_moe.config import LoraMoeConfig

    return adapters.add_adapter(model, LoraMoeConfig, settings, seed, **fields)


def load(base_model: Any, folder: Path) -> Any:
    register()
    return adapters.load_adapter(base_model, folder, "LORA_MOE")


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return arithmetic.parameters(shapes, METHOD.validate(design), settings)


added_parameters = trainable_parameters


def adapter_bytes(
    shapes: ModelShapes, design: Design, settings: AdapterSettings, number: int
) -> float:
    kept = arithmetic.kept_bytes(shapes, METHOD.validate(design), settings, number)
    return number * shapes.read_by(settings) + kept
