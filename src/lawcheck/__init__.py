"""Executable laws of multi-discipline fine-tuning.

    from lawcheck import Arm, Hypothesis, Law, compare, difference, judge, load_scores

    compare("scores.csv", "ours", "theirs")         # a verdict, without a law
    judge(law, load_scores("scores.csv"))           # the verdict on a declared law

A verdict has `outcome`, `parts`, `to_dict()` and `to_frame()`, and shows itself in notebooks. None
of this needs torch; `LoraMoeConfig` loads torch and peft when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lawcheck.files.moved import forward

forward()
__version__ = "0.1.0"
__all__ = [
    "Arm",
    "Check",
    "Hypothesis",
    "InputError",
    "Law",
    "LoraMoeConfig",
    "PartVerdict",
    "RankCorrelation",
    "Recipe",
    "RoughnessRatio",
    "SeedSpread",
    "Unused",
    "Verdict",
    "__version__",
    "arm",
    "beats",
    "compare",
    "difference",
    "judge",
    "load_scores",
]

if TYPE_CHECKING:
    from lawcheck.declare.design import (
        Arm,
        Check,
        Hypothesis,
        Law,
        PartVerdict,
        Recipe,
        Unused,
        Verdict,
        arm,
        beats,
        difference,
    )
    from lawcheck.declare.estimands import RankCorrelation, RoughnessRatio, SeedSpread
    from lawcheck.errors import InputError
    from lawcheck.judging.comparing import compare
    from lawcheck.judging.verdict import judge
    from lawcheck.methods.lora_moe import LoraMoeConfig
    from lawcheck.scores import load_scores

_HOMES = {
    **dict.fromkeys(("Arm", "Check", "Hypothesis", "Law", "PartVerdict"), "declare.design"),
    **dict.fromkeys(("Recipe", "Unused", "Verdict", "arm", "beats"), "declare.design"),
    **dict.fromkeys(("RankCorrelation", "RoughnessRatio", "SeedSpread"), "declare.estimands"),
    "InputError": "errors",
    "difference": "declare.design",
    "compare": "judging.comparing",
    "judge": "judging.verdict",
    "load_scores": "scores",
    "LoraMoeConfig": "methods.lora_moe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lawcheck' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"lawcheck.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
