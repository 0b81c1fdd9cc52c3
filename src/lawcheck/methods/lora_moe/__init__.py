"""LoRA-MoE: low-rank experts on every adapted module, mixed per token by one gate per layer.

The adapter is a PEFT method of its own. `register` makes it known to peft; taking LoraMoeConfig
from here (or from lawcheck) registers it too. Importing the package loads neither torch nor peft.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.declare.design import Scalar
from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings, Method, ModelShapes

if TYPE_CHECKING:
    from lawcheck.methods.lora_moe.config import LoraMoeConfig
    from lawcheck.methods.lora_moe.layer import LoraMoeGate, LoraMoeLinear
    from lawcheck.methods.lora_moe.model import LoraMoeModel
    from lawcheck.methods.lora_moe.routing import routing_probabilities

__all__ = [
    "METHOD",
    "VARIANTS",
    "LoraMoeConfig",
    "LoraMoeGate",
    "LoraMoeLinear",
    "LoraMoeModel",
    "added_parameters",
    "build",
    "load",
    "register",
    "routing_probabilities",
    "save",
    "trainable_parameters",
]

VARIANTS = ("plain", "shared_expert", "shared_a", "rank_route")

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

_HOMES = {
    "LoraMoeConfig": "config",
    "LoraMoeModel": "model",
    "LoraMoeGate": "layer",
    "LoraMoeLinear": "layer",
    "routing_probabilities": "routing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    register()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def register() -> None:
    """Make the method known to peft; calling it again does nothing.

    Needed before an adapter folder is loaded by path. Loads torch and peft.
    """
    from lawcheck.methods.lora_moe import registration

    registration.register()


def build(
    model: Any,
    design: Mapping[str, Scalar],
    settings: AdapterSettings,
    seed: int,
    experts: Mapping[str, Path] | None = None,
) -> Any:
    """A PeftModel that equals `model` until it is trained.

    Its initial weights depend on `seed`, the design and the model's shapes only.
    """
    register()
    from peft import get_peft_model

    from lawcheck.methods.lora_moe.config import LoraMoeConfig

    design = METHOD.validate(design)
    settings = settings.times(design["rank_multiple"])
    config = LoraMoeConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        num_experts=design["experts"],
        variant=design["variant"],
        target_modules=list(settings.modules),
        task_type="CAUSAL_LM",
    )
    with adapters.seeded(seed):
        return get_peft_model(model, config)


def save(model: Any, folder: Path) -> None:
    adapters.save_adapter(model, folder)


def load(base_model: Any, folder: Path) -> Any:
    register()
    return adapters.load_adapter(base_model, folder, "LORA_MOE")


def trainable_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    design = METHOD.validate(design)
    settings = settings.times(design["rank_multiple"])
    inputs, outputs = shapes.adapted(settings)
    routed, variant = design["experts"], design["variant"]
    experts = routed + (variant == "shared_expert")
    downs = 1 if variant == "shared_a" else experts
    gates = shapes.layers * shapes.hidden * routed
    if variant == "rank_route":
        gates *= settings.rank
    return settings.rank * (downs * inputs + experts * outputs) + gates


def added_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    return trainable_parameters(shapes, design, settings)
