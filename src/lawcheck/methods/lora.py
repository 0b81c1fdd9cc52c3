"""One LoRA adapter, peft's own. Trained on one discipline it is that discipline's expert."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Scalar
from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings, Method, ModelShapes

METHOD = Method(
    name="lora",
    title="LoRA",
    short="LoRA",
    version=1,
    trains="one low-rank pair (A, B) per adapted module",
    group="peft",
    design={"rank_multiple": 1},
)


def build(
    model: Any,
    design: Mapping[str, Scalar],
    settings: AdapterSettings,
    seed: int,
    experts: Mapping[str, Path] | None = None,
) -> Any:
    """A PeftModel. Its initial weights depend on `seed` and the model's shapes only."""
    from peft import LoraConfig, get_peft_model

    settings = settings.times(METHOD.validate(design)["rank_multiple"])
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # a float works as well
        lora_dropout=settings.dropout,
        target_modules=list(settings.modules),
        task_type="CAUSAL_LM",
    )
    with adapters.seeded(seed):
        return get_peft_model(model, config)


def save(model: Any, folder: Path) -> None:
    adapters.save_adapter(model, folder)


def load(base_model: Any, folder: Path) -> Any:
    return adapters.load_adapter(base_model, folder, "LORA")


def trainable_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    settings = settings.times(METHOD.validate(design)["rank_multiple"])
    return settings.rank * sum(shapes.adapted(settings))


def added_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    return trainable_parameters(shapes, design, settings)
