"""The two fused products of LoRA-MoE and their hand-written gradients.

Shapes: x [..., d_in], h [..., E r] (or [..., r] when A is shared), w [..., E r] the gate's weight
of each rank component (scaling included), z = h * w, y [..., d_out]. No loop over experts, and
nothing of size tokens x experts x d_out.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from lawcheck.methods.lora_moe import dropout


def mix(h: Tensor, w: Tensor) -> Tensor:
    """z = h * w; with a shared A, h stands once for each expert. [..., E r]"""
    if h.shape[-1] == w.shape[-1]:
        return h * w
    by_expert = w.view(*w.shape[:-1], -1, h.shape[-1])
    return (by_expert * h.unsqueeze(-2)).view(w.shape)


class MixExperts(Function):
    """base + z B^T, saving h and w but not z. weight: B of all experts, [d_out, E r].

    in_place: base is written over, which spares a copy of the output and moves no bit.
    """

    @staticmethod
    def forward(
        ctx: Any, base: Tensor, h: Tensor, w: Tensor, weight: Tensor, in_place: bool
    ) -> Tensor:
        ctx.save_for_backward(h, w, weight)
        ctx.base_dtype = base.dtype
        z = mix(h, w)
        if base.dtype == h.dtype == weight.dtype:
            if in_place:
                ctx.mark_dirty(base)
                base.view(-1, base.shape[-1]).addmm_(z.view(-1, z.shape[-1]), weight.t())
                return base
            flat = torch.addmm(base.view(-1, base.shape[-1]), z.view(-1, z.shape[-1]), weight.t())
            return flat.view(base.shape)
        return (base + F.linear(z, weight.to(h.dtype))).to(base.dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        h, w, weight = ctx.saved_tensors
        _, need_h, need_w, need_weight, _ = ctx.needs_input_grad
        grad = dy.to(h.dtype)
        dz = grad @ weight.to(h.dtype)
        dh = dw = dweight = None
        if need_weight:
            z = mix(h, w)
            dweight = grad.reshape(-1, grad.shape[-1]).t() @ z.reshape(-1, z.shape[-1])
            dweight = dweight.to(weight.dtype)
        if h.shape[-1] == w.shape[-1]:
            dh = dz * w if need_h else None
            dw = dz * h if need_w else None
        else:
            by_expert = dz.view(*dz.shape[:-1], -1, h.shape[-1])
            dh = (by_expert * w.view(by_expert.shape)).sum(-2) if need_h else None
            dw = (by_expert * h.unsqueeze(-2)).view(w.shape) if need_w else None
        return dy, dh, dw, dweight, None


class DropoutLinear(Function):
    """dropout(x) A^T, saving x and what `memory` names of the mask but not dropout(x).

    weight: A, [E r, d_in]. The factor 1 / (1 - p) is applied on the side of h, narrower than x.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, p: float, dtype: torch.dtype, memory: str
    ) -> Tensor:
        mask, kept = dropout.draw(x, p, memory)
        ctx.save_for_backward(x, kept, weight)
        ctx.p, ctx.dtype, ctx.memory = p, dtype, memory
        return F.linear((x * mask).to(dtype), weight.to(dtype)).mul_(1 / (1 - p))

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, ...]:
        x, kept, weight = ctx.saved_tensors
        mask = dropout.recall(kept, x, ctx.p, ctx.memory)
        dh = dh * (1 / (1 - ctx.p))
        dx = dweight = None
        if ctx.needs_input_grad[0]:
            dx = (dh @ weight.to(ctx.dtype)).to(x.dtype) * mask
        if ctx.needs_input_grad[1]:
            dropped = (x * mask).to(ctx.dtype)
            dweight = dh.reshape(-1, dh.shape[-1]).t() @ dropped.reshape(-1, dropped.shape[-1])
            dweight = dweight.to(weight.dtype)
        return dx, dweight, None, None, None
