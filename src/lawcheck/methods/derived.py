"""Functions of methods whose scores are derived from other runs: there is no model of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from lawcheck.errors import InputError
from lawcheck.methods.base import AdapterSettings, Design, ModelShapes


def _none() -> NoReturn:
    raise InputError(
        "arm of a derived method: found a run, expected none, since its scores are derived from "
        "those of its parents; run: lawcheck collect LAW"
    )


def build(model: Any, design: Design, settings: AdapterSettings, seed: int, *_: Any) -> Any:
    """Raises InputError."""
    _none()


def save(model: Any, folder: Path) -> None:
    """Raises InputError."""
    _none()


def load(base_model: Any, folder: Path) -> Any:
    """Raises InputError."""
    _none()


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return 0


added_parameters = trainable_parameters
