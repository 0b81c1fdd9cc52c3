"""The base model as it is: the arm that every gain is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lawcheck.methods.base import Method

METHOD = Method(
    name="base",
    title="Base model",
    version=1,
    trains="nothing",
    group="none",
)


def build(model: Any, *_: Any, **__: Any) -> Any:
    return model.requires_grad_(False)


def save(model: Any, folder: Path) -> None:
    """Leaves an empty folder: there is nothing beyond the base model."""
    folder.mkdir(parents=True, exist_ok=True)


def load(base_model: Any, folder: Path) -> Any:
    return base_model.eval()


def trainable_parameters(*_: Any) -> int:
    return 0


added_parameters = trainable_parameters
