"""Executable laws of multi-discipline fine-tuning.

`judge` and `load_scores` need no torch; `LoraMoeConfig` loads torch and peft when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lawcheck.files.moved import forward

forward()
__version__ = "0.1.0"
__all__ = ["LoraMoeConfig", "__version__", "judge", "load_scores"]

if TYPE_CHECKING:
    from lawcheck.judging.verdict import judge
    from lawcheck.methods.lora_moe import LoraMoeConfig
    from lawcheck.scores import load_scores

_HOMES = {
    "judge": "lawcheck.judging.verdict",
    "load_scores": "lawcheck.scores",
    "LoraMoeConfig": "lawcheck.methods.lora_moe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lawcheck' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
