"""The tokens of a micro-batch that carry loss, as objectives see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lawcheck.training.data import EXTRAS, IGNORED
from lawcheck.training.output_head import logits_at


@dataclass(frozen=True)
class Tokens:
    """logits: (n, vocabulary) at the n tokens that carry loss, labels: (n,) those tokens.

    Of preference pairs: sequences: (n,), twice the pair's place in the micro-batch, and one more
    for the rejected sample. responses: (n,), whether a token belongs to the response. reference:
    (pairs, 2), log-probabilities of the chosen and the rejected response. Of rows that name tasks:
    (n,) place of each token's task among task_count.
    """

    logits: Tensor
    labels: Tensor
    pairs: int = 0
    sequences: Tensor | None = None
    responses: Tensor | None = None
    reference: Tensor | None = None
    tasks: Tensor | None = None
    task_count: int = 0

    @cached_property
    def log_probabilities(self) -> Tensor:
        """(n,) of each token, given those before it."""
        return -F.cross_entropy(self.logits, self.labels, reduction="none")

    def sequence_log_probabilities(self, mean: bool = False) -> Tensor:
        """(pairs, 2) sums, or means, over the tokens of each response."""
        assert self.sequences is not None
        assert self.responses is not None
        places = torch.arange(2 * self.pairs, device=self.labels.device)
        # Summed through a mask: index_add_ has no fixed order on a GPU.
        mine = (self.sequences == places[:, None]) & self.responses
        sums = (self.log_probabilities * mine).sum(dim=1)
        return (sums / mine.sum(dim=1) if mean else sums).view(-1, 2)


def learnt_tokens(model: nn.Module, inner: Any, batch: Mapping[str, Any]) -> tuple[Tokens, Any]:
    """What an objective's loss is made from, and the model's outputs. batch: of MicroBatches.

    model: as it is called; inner: itself, or what a wrapper around it holds.
    """
    inputs = {k: v for k, v in batch.items() if k not in EXTRAS}

    def next_token(values: Tensor, filled: int) -> Tensor:
        return F.pad(values[:, 1:], (0, 1), value=filled)

    labels = next_token(inputs.pop("labels"), IGNORED)
    learnt = labels != IGNORED
    tell = getattr(inner, "tell_tasks", None)
    if tell is not None:
        tell(batch.get("tasks"))
    with logits_at(inner, learnt):
        # Packed samples are only told apart where there is no cache.
        outputs = model(**inputs, use_cache=False)
    logits = outputs.logits.to(torch.promote_types(outputs.logits.dtype, torch.float32))
    if "tasks" in batch:
        tasks = next_token(batch["tasks"], -1)[learnt]
        count = int(batch["task_count"])
        return Tokens(logits, labels[learnt], tasks=tasks, task_count=count), outputs
    if "pairs" not in batch:
        return Tokens(logits, labels[learnt]), outputs
    reference = batch.get("reference")
    return Tokens(
        logits,
        labels[learnt],
        pairs=len(batch["pairs"]),
        sequences=next_token(batch["sequences"], -1)[learnt],
        responses=next_token(batch["responses"], 0)[learnt].bool(),
        reference=None if reference is None else torch.from_numpy(reference).to(labels.device),
    ), outputs
