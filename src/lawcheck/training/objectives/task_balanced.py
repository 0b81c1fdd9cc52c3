"""Cross-entropy of the response, each task of a step with the same weight, however many its tokens.

The mean over tasks of their losses per token, as MFTCoder's balanced loss; that takes it over a
micro-batch, this one over the whole optimizer batch, so that accumulation does not change it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lawcheck.declare.objective import Objective

if TYPE_CHECKING:
    from torch import Tensor

    from lawcheck.training.learnt import Tokens

OBJECTIVE = Objective(
    name="task_balanced",
    title="Supervised fine-tuning, balanced over tasks",
    version=1,
    learns="the response and EOS",
    columns=("prompt", "response", "task"),
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    from lawcheck.corpus import encoding

    rows = [row for some in encoding.chunks(rows, ("id", *OBJECTIVE.columns)) for row in some]
    found = encoding.encode(tokenizer, rows, max_length, known)
    return dataclasses.replace(found, tasks=encoding.task_places(found.ids, rows))


def counts(batch: Mapping[str, Any]) -> Tensor:
    """(n tasks,) tokens of each task that carry loss."""
    import torch

    from lawcheck.training.data import IGNORED

    places = torch.arange(int(batch["task_count"]), device=batch["labels"].device)
    learnt = batch["tasks"][batch["labels"] != IGNORED]
    return (learnt == places[:, None]).sum(dim=1)


def denominators(counts: Tensor) -> Tensor:
    """(n tasks,) what the sums of a step are divided by, for the mean over the tasks in it."""
    return counts.clamp(min=1) * (counts > 0).sum().clamp(min=1)


def loss(tokens: Tokens, beta: float | None) -> Tensor:
    import torch

    assert tokens.tasks is not None
    places = torch.arange(tokens.task_count, device=tokens.labels.device)
    mine = tokens.tasks == places[:, None]
    return (-tokens.log_probabilities * mine).sum(dim=1)
