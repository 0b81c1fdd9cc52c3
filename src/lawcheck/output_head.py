"""Logits where they are needed, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


@contextlib.contextmanager
def logits_at(model: nn.Module, positions: Any) -> Iterator[None]:
    """Inside, the model's output layer sees only `positions` of the hidden states.

    positions: any index of [batch, tokens], a boolean mask or a pair of index tensors. Logits
    come out as [selected, vocabulary]. A pre-hook does the selection, so the model's own forward
    and any wrapper around it stay as they are.
    """

    def select(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0][positions], *arguments[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
