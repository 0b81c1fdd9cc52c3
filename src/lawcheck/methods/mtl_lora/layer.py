"""A linear layer whose low-rank update depends on the task."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lawcheck.errors import InputError
from lawcheck.methods.base import AdapterSettings


class Told:
    """Which task the tokens are of, for all layers of a model."""

    def __init__(self) -> None:
        self.tasks: Tensor | int | None = None

    def tell(self, tasks: Tensor | int | None) -> None:
        self.tasks = tasks


class TaskLinear(nn.Module):
    """base(x) + alpha / rank sum_i softmax(w_t / tau)_i B_i L_t A x for tokens of task t.

    down: A, (rank, inputs); between: L, (tasks, rank, rank), the identity at first; up: B,
    (outputs, ups rank), zero at first; mix: w, (tasks, ups), drawn, since equal mixes of equal B
    would learn the same. Tokens of no task, such as padding, are taken for those of the first.
    """

    def __init__(
        self,
        base_layer: Any,
        tasks: int,
        ups: int,
        temperature: float,
        settings: AdapterSettings,
        told: Told,
    ) -> None:
        super().__init__()
        self.base_layer, self.told, self.temperature = base_layer, told, temperature
        outputs, inputs = base_layer.weight.shape
        self.scaling = settings.alpha / settings.rank
        self.dropout = nn.Dropout(settings.dropout)
        self.down = nn.Parameter(torch.empty(settings.rank, inputs))
        self.between = nn.Parameter(torch.eye(settings.rank).repeat(tasks, 1, 1))
        self.up = nn.Parameter(torch.zeros(outputs, ups * settings.rank))
        self.mix = nn.Parameter(torch.empty(tasks, ups))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.mix, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        result = self.base_layer(x)
        hidden = F.linear(self.dropout(x.to(self.down.dtype)), self.down)
        shares = torch.softmax(self.mix / self.temperature, dim=-1)
        tasks = self.told.tasks
        if tasks is None:
            each = torch.einsum("tij,...j->...ti", self.between, hidden)
            mixed = (shares.unsqueeze(-1) * each.unsqueeze(-2)).mean(dim=-3)
        else:
            between, shares = self._of(tasks, shares, x)
            each = (between @ hidden.unsqueeze(-1)).squeeze(-1)
            mixed = shares.unsqueeze(-1) * each.unsqueeze(-2)
        update = self.scaling * F.linear(mixed.flatten(-2), self.up)
        return result + update.to(result.dtype)

    def _of(self, tasks: Tensor | int, shares: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        most = len(self.between)
        if isinstance(tasks, int):
            if not 0 <= tasks < most:
                raise InputError(
                    f"MTL-LoRA: task {tasks}, expected one of {most}; raise the design's tasks"
                )
            return self.between[tasks], shares[tasks]
        if tasks.shape != x.shape[:-1]:
            raise InputError(
                f"MTL-LoRA: tasks of {tuple(tasks.shape)} tokens for an input of "
                f"{tuple(x.shape[:-1])}; tell the tasks of this input, or None"
            )
        if int(tasks.max()) >= most:
            raise InputError(
                f"MTL-LoRA: task {int(tasks.max())}, expected one of {most}; raise the design's "
                f"tasks"
            )
        places = tasks.clamp(min=0)
        return self.between[places], shares[places]
