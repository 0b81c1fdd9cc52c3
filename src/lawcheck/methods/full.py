"""Full fine-tuning: every parameter of the model moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files.foreign import check_model
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="full",
    title="Full fine-tuning",
    short="FT",
    version=1,
    trains="every parameter",
    group="full",
)


def build(model: Any, *_: Any, **__: Any) -> Any:
    return model.requires_grad_(True)


def save(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)


def load(base_model: Any, folder: Path) -> Any:
    """The model of `folder`, in the base model's precision and on its device."""
    from transformers import AutoModelForCausalLM

    if not (folder / "config.json").is_file():
        raise InputError(
            f"model folder {str(folder)!r}: expected config.json; train the run or give the "
            f"folder that holds it"
        )
    check_model(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=base_model.dtype, use_safetensors=True, trust_remote_code=False
    )
    return model.to(base_model.device).eval()


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return shapes.total_parameters


def added_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return 0
