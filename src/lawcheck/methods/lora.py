"""One LoRA adapter, peft's own. Trained on one discipline it is that discipline's expert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="lora",
    title="LoRA",
    short="LoRA",
    version=1,
    trains="one low-rank pair (A, B) per adapted module",
    group="peft",
    design={"rank_multiple": 1},
)

save = adapters.save_adapter


def build(model: Any, design: Design, settings: AdapterSettings, seed: int, *_: Any) -> Any:
    """A PeftModel. Its initial weights depend on `seed` and the model's shapes only."""
    from peft import LoraConfig

    settings = settings.times(METHOD.validate(design)["rank_multiple"])
    return adapters.add_adapter(model, LoraConfig, settings, seed)


def load(base_model: Any, folder: Path) -> Any:
    return adapters.load_adapter(base_model, folder, "LORA")


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    settings = settings.times(METHOD.validate(design)["rank_multiple"])
    return settings.rank * sum(shapes.adapted(settings))


added_parameters = trainable_parameters
