"""A decoder that sees every text once per adapter, and the mean of what comes out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lawcheck.methods.base import AdapterSettings

LEVELS = 3
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


@torch.no_grad()
def search(model: Any, answers: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Set model.shares by a hierarchical grid, as EMORL does, with the loss of right answers.

    Logits are linear in the states, so that those of one adapter at a time say all.
    """
    count = len(model.shares)
    logits, labels = [], torch.empty(0)
    for k in range(count):
        model.shares.data = F.one_hot(torch.tensor(k), count).to(model.shares)
        own, labels = answers()
        logits.append(own)
    model.shares.data = best_shares(torch.stack(logits), labels).to(model.shares)


def best_shares(logits: Tensor, labels: Tensor) -> Tensor:
    """(adapters,) shares of the lowest mean loss. logits: (adapters, tokens, vocabulary).

    A first grid has three weights for every adapter; each next one has half the step, around the
    best point. Shares are weights that sum to 1.
    """
    count = len(logits)
    found, lowest = torch.full((count,), 1 / count), float("inf")
    centre, step = torch.full((count,), 0.5), 0.5
    for _ in range(LEVELS):
        nearest = centre
        for moves in itertools.product((-step, 0.0, step), repeat=count):
            weights = (centre + torch.tensor(moves)).clamp(0, 1)
            if not weights.sum() > 0:
                continue
            shares = weights / weights.sum()
            loss = float(F.cross_entropy(torch.einsum("k,ktv->tv", shares, logits), labels))
            if loss < lowest:
                found, lowest, nearest = shares, loss, weights
        centre, step = nearest, step / 2
    return found
