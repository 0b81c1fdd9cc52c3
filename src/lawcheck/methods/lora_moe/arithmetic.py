"""Sizes of LoRA-MoE adapters by variant. No torch."""

from __future__ import annotations

from typing import Any

from lawcheck.methods.base import AdapterSettings, ModelShapes

VARIANTS = ("plain", "shared_expert", "shared_a", "rank_route")
FLOAT32 = 4


def counts(variant: str, routed: int, rank: int) -> tuple[int, int, int]:
    """Experts, matrices A per module, and rows of the gate."""
    experts = routed + (variant == "shared_expert")
    downs = 1 if variant == "shared_a" else experts
    return experts, downs, routed * (rank if variant == "rank_route" else 1)


def parameters(shapes: ModelShapes, chosen: dict[str, Any], settings: AdapterSettings) -> int:
    """Of experts and gates. chosen: variant, experts and rank_multiple."""
    settings = settings.times(chosen["rank_multiple"])
    inputs, outputs = shapes.adapted(settings)
    experts, downs, rows = counts(chosen["variant"], chosen["experts"], settings.rank)
    gates = shapes.layers * shapes.hidden * rows
    return settings.rank * (downs * inputs + experts * outputs) + gates


def kept_bytes(
    shapes: ModelShapes, chosen: dict[str, Any], settings: AdapterSettings, number: int
) -> int:
    """Bytes a token that one layer's experts and gate keep, without the inputs of A."""
    settings = settings.times(chosen["rank_multiple"])
    experts, downs, rows = counts(chosen["variant"], chosen["experts"], settings.rank)
    products = downs * settings.rank * len(set(settings.modules))
    # The gate reads the hidden state, weighs every rank of every expert, and keeps probabilities.
    hidden = number * shapes.hidden if number < FLOAT32 else 0
    return number * (products + experts * settings.rank) + FLOAT32 * rows + hidden
