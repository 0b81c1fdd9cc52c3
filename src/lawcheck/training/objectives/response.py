"""Cross-entropy of the response and EOS, mean over their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lawcheck.declare.objective import Objective

if TYPE_CHECKING:
    from torch import Tensor

    from lawcheck.training.learnt import Tokens

OBJECTIVE = Objective(
    name="response",
    title="Supervised fine-tuning",
    version=1,
    learns="the response and EOS",
    columns=("prompt", "response"),
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    from lawcheck.corpus import encoding

    return encoding.encode(tokenizer, rows, max_length, known)


def counts(batch: Mapping[str, Any]) -> Tensor:
    """(1,) tokens that carry loss."""
    from lawcheck.training.data import IGNORED

    return (batch["labels"] != IGNORED).sum()[None]


def loss(tokens: Tokens, beta: float | None) -> Tensor:
    import torch.nn.functional as F

    return F.cross_entropy(tokens.logits, tokens.labels, reduction="sum")[None]
