"""Odds-ratio preference optimisation (Hong et al. 2024, equations 6 and 7).

NLL(x, w) - beta log sigmoid(log odds(w) - log odds(l)), odds(y) = q / (1 - q), where q is the
exponential of the mean log-probability of a response's tokens, EOS included. The NLL is the mean
over tokens of prompt and chosen response, the second term the mean over pairs. The paper's NLL is
that of the response alone; TRL counts the prompt (huggingface/trl issues 1676 and 2527), and so do
the numbers that people compare with. Dropout is off, as in TRL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lawcheck.declare.objective import Objective

if TYPE_CHECKING:
    from torch import Tensor

    from lawcheck.training.learnt import Tokens

OBJECTIVE = Objective(
    name="orpo",
    title="Odds-ratio preference optimisation",
    version=1,
    learns="prompt and chosen response, and the chosen response against the rejected one",
    columns=("prompt", "chosen", "rejected"),
    pairs=True,
    beta=0.1,
    dropout=False,
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    import dataclasses

    from lawcheck.corpus import encoding

    encoded = encoding.encode_pairs(tokenizer, rows, max_length, known)
    learnt = encoded.answers.copy()
    learnt[::2] = 0
    return dataclasses.replace(encoded, learnt=learnt)


def counts(batch: Mapping[str, Any]) -> Tensor:
    """(2,) tokens of prompts and chosen responses, and pairs."""
    import torch

    from lawcheck.training.data import IGNORED

    learnt = batch["labels"] != IGNORED
    tokens = (learnt & (batch["sequences"] % 2 == 0)).sum()
    return torch.stack([tokens, tokens.new_tensor(len(batch["pairs"]))])


def loss(tokens: Tokens, beta: float | None) -> Tensor:
    import torch
    import torch.nn.functional as F

    assert beta is not None
    assert tokens.sequences is not None
    chosen = tokens.sequences % 2 == 0
    likelihood = -(tokens.log_probabilities * chosen).sum()
    means = tokens.sequence_log_probabilities(mean=True)
    # log(1 - exp(m)) without loss of digits where m is close to 0.
    odds = means - torch.log(-torch.expm1(means))
    preference = -beta * F.logsigmoid(odds[:, 0] - odds[:, 1]).sum()
    return torch.stack([likelihood, preference])
