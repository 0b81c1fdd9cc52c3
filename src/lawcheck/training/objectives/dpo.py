"""Direct preference optimisation (Rafailov et al. 2023, equation 7), mean over pairs.

-log sigmoid(beta [(log p(w|x) - log r(w|x)) - (log p(l|x) - log r(l|x))]): p is the model, r the
model that the run started from, w and l the chosen and the rejected response. Log-probabilities
are summed over a response's tokens, EOS included. Dropout is off, as in TRL: with it the model
would differ from its own reference before the first step, whose loss is ln 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lawcheck.declare.objective import Objective

if TYPE_CHECKING:
    from torch import Tensor

    from lawcheck.training.learnt import Tokens

OBJECTIVE = Objective(
    name="dpo",
    title="Direct preference optimisation",
    version=1,
    learns="the chosen response against the rejected one",
    columns=("prompt", "chosen", "rejected"),
    pairs=True,
    reference=True,
    beta=0.1,
    dropout=False,
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    from lawcheck.corpus import encoding

    return encoding.encode_pairs(tokenizer, rows, max_length, known)


def counts(batch: Mapping[str, Any]) -> Tensor:
    """(1,) pairs."""
    return batch["labels"].new_tensor([len(batch["pairs"])])


def loss(tokens: Tokens, beta: float | None) -> Tensor:
    import torch.nn.functional as F

    assert beta is not None
    assert tokens.reference is not None
    ratios = tokens.sequence_log_probabilities() - tokens.reference
    return -F.logsigmoid(beta * (ratios[:, 0] - ratios[:, 1])).sum()[None]
