"""A linear layer with routed low-rank experts."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lawcheck.methods.base import AdapterSettings


class MolaLinear(nn.Module):
    """base(x) + alpha / rank sum_e g_e B_e A_e x, g the renormalised largest of softmax(R x).

    All experts are computed and those that are not chosen weighted 0, so that every process uses
    the same tensors. down: A, (experts, rank, inputs); up: B, (outputs, experts rank); router: R,
    (experts, inputs). balance: of the last forward pass; 1 for an even load.
    """

    def __init__(self, base_layer: Any, experts: int, top: int, settings: AdapterSettings) -> None:
        super().__init__()
        self.base_layer = base_layer
        outputs, inputs = base_layer.weight.shape
        self.experts, self.top = experts, top
        self.scaling = settings.alpha / settings.rank
        self.dropout = nn.Dropout(settings.dropout)
        self.down = nn.Parameter(torch.empty(experts, settings.rank, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, experts * settings.rank))
        self.router = nn.Parameter(torch.empty(experts, inputs))
        # The bound depends on the inputs alone.
        nn.init.kaiming_uniform_(self.down.view(-1, inputs), a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.router, a=math.sqrt(5))
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        result = self.base_layer(x)
        own = x.to(self.router.dtype)
        likely = torch.softmax(F.linear(own, self.router), dim=-1)
        chosen = likely.topk(self.top, dim=-1).indices
        mask = torch.zeros_like(likely).scatter(-1, chosen, 1.0)
        weights = likely * mask
        weights = weights / weights.sum(dim=-1, keepdim=True)
        flat = likely.flatten(0, -2)
        load = mask.flatten(0, -2).mean(dim=0) / self.top
        self.balance = self.experts * (load * flat.mean(dim=0)).sum()
        hidden = F.linear(self.dropout(own), self.down.flatten(0, 1))
        hidden = hidden.unflatten(-1, (self.experts, -1)) * weights.unsqueeze(-1)
        update = self.scaling * F.linear(hidden.flatten(-2), self.up)
        return result + update.to(result.dtype)
