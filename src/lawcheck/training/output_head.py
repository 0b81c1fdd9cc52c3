"""Logits where they are needed, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


@contextlib.contextmanager
def logits_at(model: Any, positions: Any) -> Iterator[None]:
    """Inside, the model's output layer sees only `positions` of the hidden states.

    positions: any index of [batch, tokens], a boolean mask or a pair of index tensors. Logits
    come out as [selected, vocabulary]. A pre-hook does the selection, so the model's own forward
    and any wrapper around it stay as they are.
    """

    def select(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0][positions], *arguments[1:])

    head: nn.Module = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
