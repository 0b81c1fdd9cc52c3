"""Accelerators that a study can be planned on: a small table, or one's own YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from lawcheck.declare.scale import Part
from lawcheck.errors import InputError, nearest
from lawcheck.files.reading import read_yaml

TABLE = Path(__file__).with_name("accelerators.yaml")


class Accelerator(Part):
    """memory_gb: 10^9 bytes. bf16_tflops: peak without sparsity, 10^12 operations a second."""

    title: str
    memory_gb: float = Field(gt=0)
    bf16_tflops: float = Field(gt=0)


def load_accelerator(name: str) -> Accelerator:
    """A line of the table, or a YAML file with title, memory_gb and bf16_tflops.

    Raises InputError for an unknown name, a missing or broken file, unknown or ill-typed keys.
    """
    if name.endswith((".yaml", ".yml")):
        entry = _read(Path(name))
    else:
        table = _read(TABLE)
        if name not in table:
            raise InputError(
                f"accelerator {name!r}: unknown; {nearest(name, table)}, or give a YAML file with "
                f"title, memory_gb and bf16_tflops"
            )
        entry = table[name]
    step = "give title, memory_gb and bf16_tflops"
    return Accelerator.read(entry, f"accelerator {name!r}", step)


def _read(path: Path) -> dict[str, Any]:
    found = read_yaml(path, "name or correct it", f"accelerator file {str(path)!r}")
    if not isinstance(found, dict):
        raise InputError(
            f"accelerator file {path.name}: found {type(found).__name__}, expected a mapping of "
            f"title, memory_gb and bf16_tflops"
        )
    return found
