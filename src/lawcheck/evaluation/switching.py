"""Adapters of one model switched by name, with the bits of peft's own layers."""

from __future__ import annotations

import functools
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class Switch:
    """Of a PeftModel with several LoRA adapters, which is then frozen and in evaluation mode.

    peft's set_adapter walks all modules and the gradients of all adapters, and its layer looks up
    at every call what only a switch changes: together half of a small model's forward.
    """

    def __init__(self, model: Any) -> None:
        from peft.tuners.lora.layer import Linear
        from peft.tuners.tuners_utils import BaseTunerLayer

        self.model = model.eval().requires_grad_(False)
        self._layers: list[Any] = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
        for layer in self._layers:
            if (type(layer), type(layer.base_layer)) == (Linear, nn.Linear):
                # DoRA and other variants go peft's way, as do layers that an adapter leaves out.
                plain = {
                    name: (down.weight, layer.lora_B[name].weight, layer.scaling[name])
                    for name, down in layer.lora_A.items()
                    if name not in layer.lora_variant and layer.lora_B[name].bias is None
                }
                layer.forward = functools.partial(_linear, layer, layer.forward, plain)

    def to(self, name: str) -> None:
        """Go on with this adapter. Raises KeyError for one that the model does not hold."""
        self.model.peft_config[name]
        for layer in self._layers:
            layer._active_adapter = [name]
        self.model.active_adapter = self.model.base_model.active_adapter = name


def _linear(
    layer: Any,
    others: Any,
    plain: dict[str, tuple[Tensor, Tensor, float]],
    x: Tensor,
    *arguments: Any,
    **more: Any,
) -> Tensor:
    active = layer._active_adapter
    own = plain.get(active[0]) if len(active) == 1 else None
    usual = not (layer._disable_adapters or layer.merged_adapters or layer.training)
    if own is None or arguments or more or not usual or x.dtype != own[0].dtype:
        found: Tensor = others(x, *arguments, **more)
        return found
    down, up, scaling = own
    result: Tensor = layer.base_layer(x)
    return result + F.linear(F.linear(x, down), up) * scaling
