"""A decoder that sees every text once per adapter, and the mean of what comes out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lawcheck.methods.base import AdapterSettings

# Of a decoder's arguments, those with a row per text.
PER_TEXT = ("input_ids", "inputs_embeds", "attention_mask", "position_ids")


class EachLinear(nn.Module):
    """base(x) + alpha / rank B_k A_k x for the k-th share of the rows of x.

    down: A, (adapters, rank, inputs); up: B, (adapters, outputs, rank).
    """

    def __init__(self, base_layer: Any, adapters: int, settings: AdapterSettings) -> None:
        super().__init__()
        self.base_layer = base_layer
        outputs, inputs = base_layer.weight.shape
        self.scaling = settings.alpha / settings.rank
        self.down = nn.Parameter(torch.zeros(adapters, settings.rank, inputs))
        self.up = nn.Parameter(torch.zeros(adapters, outputs, settings.rank))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.base_layer(x)
        each = x.to(self.down.dtype).reshape(len(self.down), -1, x.shape[-1])
        update = self.scaling * (each @ self.down.mT @ self.up.mT)
        return result + update.reshape(result.shape).to(result.dtype)


def average(model: Any, adapters: int) -> None:
    """Have a causal model's decoder repeat its texts, adapter by adapter, and average its states.

    model.shares: (adapters,) weights of the mean. What the cache holds has a row for each adapter
    and text, so that rows of finished texts cannot be taken out of it (`model.cached_rows`).
    """
    model.shares = nn.Parameter(torch.full((adapters,), 1 / adapters))
    model.cached_rows = adapters

    def repeat(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        for name in PER_TEXT:
            given = named.get(name)
            if isinstance(given, Tensor):
                named[name] = given.repeat(adapters, *[1] * (given.dim() - 1))
        return arguments, named

    def mean(_: Any, __: Any, output: Any) -> Any:
        states = output.last_hidden_state
        each = states.unflatten(0, (adapters, -1))
        output.last_hidden_state = torch.einsum("k...,k->...", each, model.shares.to(states.dtype))
        return output

    decoder = getattr(model, model.base_model_prefix)
    decoder.register_forward_pre_hook(repeat, with_kwargs=True)
    decoder.register_forward_hook(mean)
