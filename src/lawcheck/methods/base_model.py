"""The base model as it is: the arm that every gain is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Scalar
from lawcheck.methods.base import AdapterSettings, Method, ModelShapes

METHOD = Method(
    name="base",
    title="Base model",
    version=1,
    trains="nothing",
    group="none",
)


def build(
    model: Any,
    design: Mapping[str, Scalar],
    settings: AdapterSettings,
    seed: int,
    experts: Mapping[str, Path] | None = None,
) -> Any:
    METHOD.validate(design)
    return model.requires_grad_(False)


def save(model: Any, folder: Path) -> None:
    """Leaves an empty folder: there is nothing beyond the base model."""
    folder.mkdir(parents=True, exist_ok=True)


def load(base_model: Any, folder: Path) -> Any:
    return base_model.eval()


def trainable_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    METHOD.validate(design)
    return 0


def added_parameters(
    shapes: ModelShapes, design: Mapping[str, Scalar], settings: AdapterSettings
) -> int:
    METHOD.validate(design)
    return 0
