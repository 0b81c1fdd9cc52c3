"""How an arm is trained: one module per method, found by lawcheck.declare.discovery.

A method module declares METHOD and is a lawcheck.declare.method.MethodModule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lawcheck.declare.method import CountsAdapterBytes, Fits, MethodModule, Registers
    from lawcheck.methods import (
        base_model,
        full,
        lerp,
        lookup,
        lora,
        lora_comp,
        lora_moe,
        mola,
        mtl_lora,
        oracle,
        routed,
        selector,
        slerp,
        soup,
        state_mean,
    )

    # Read by the type checker alone.
    _METHODS: list[MethodModule] = [
        base_model,
        full,
        lerp,
        lookup,
        lora,
        lora_comp,
        lora_moe,
        mola,
        mtl_lora,
        oracle,
        routed,
        selector,
        slerp,
        soup,
        state_mean,
    ]
    _COUNTS: list[CountsAdapterBytes] = [lora_comp, lora_moe]
    _FITS: list[Fits] = [state_mean]
    _REGISTERS: list[Registers] = [lora_moe]
