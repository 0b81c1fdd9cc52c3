"""The modules that LoRA-MoE puts into a decoder layer.

LoraMoeGate wraps the first module a decoder layer runs, and writes the token's weights into a
GateState; LoraMoeLinear wraps an adapted projection and reads them. The gate sits there rather
than in a hook on the decoder layer because transformers checkpoints a layer's forward: a hook
would run outside the region that is recomputed.

Every parameter is used inside the forward of the module that owns it, as ZeRO-3 requires.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features
from torch import Tensor, nn
from torch.nn.modules.module import _global_forward_hooks

from lawcheck.errors import InputError
from lawcheck.methods.lora_moe.config import LoraMoeConfig
from lawcheck.methods.lora_moe.functional import DropoutLinear, MixExperts


class GateState:
    """The current weights of one adapter in one decoder layer: [..., E r], scaling included.

    Copies and pickles start empty: weights belong to one forward pass.
    """

    __slots__ = ("weights",)

    def __init__(self) -> None:
        self.weights: Tensor | None = None

    def __reduce__(self) -> tuple[type[GateState], tuple[()]]:
        return GateState, ()


def compute_dtype(tensor: Tensor, own: torch.dtype) -> torch.dtype:
    """Autocast's precision where it is on, else the module's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else own


class TokenGate(nn.Module):
    """softmax over the experts of h G^T. weight: G, [E, d_model] or [E r, d_model] by rank.

    record: see lawcheck.methods.routing.Gate; by rank it gets the mean over the rank components,
    and it never holds the shared expert.
    """

    def __init__(self, features: int, config: LoraMoeConfig) -> None:
        super().__init__()
        self.experts, self.rank, self.scaling = config.num_experts, config.r, config.scaling
        self.by_rank = config.variant == "rank_route"
        self.shared_expert = config.variant == "shared_expert"
        self.reads_output = config.gate_input == "output"
        self.at_least_float32 = config.gate_dtype == "float32"
        rows = self.experts * (self.rank if self.by_rank else 1)
        self.weight = nn.Parameter(torch.empty(rows, features))
        self.bias = nn.Parameter(torch.zeros(rows)) if config.gate_bias else None
        self.record: list[Tensor] | None = None
        self.differentiable = False
        if config.gate_init == "kaiming":
            nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        else:
            nn.init.zeros_(self.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden: [..., d_model]. Returns [..., E r], one more expert with a shared one."""
        dtype = compute_dtype(hidden, self.weight.dtype)
        logits = F.linear(hidden.to(self.weight.dtype), self.weight, self.bias)
        lead = logits.shape[:-1]
        precision = torch.promote_types(dtype, torch.float32) if self.at_least_float32 else dtype
        if self.by_rank:
            logits = logits.view(*lead, self.experts, self.rank)
            probabilities = torch.softmax(logits, dim=-2, dtype=precision)
        else:
            probabilities = torch.softmax(logits, dim=-1, dtype=precision)
        if self.record is not None:
            routed = probabilities.mean(-1) if self.by_rank else probabilities
            self.record.append((routed if self.differentiable else routed.detach()).float())
        weights = (probabilities * self.scaling).to(dtype)
        if not self.by_rank:
            weights = weights.unsqueeze(-1).expand(*lead, self.experts, self.rank)
        weights = weights.reshape(*lead, self.experts * self.rank)
        if self.shared_expert:
            always = weights.new_full((*lead, self.rank), self.scaling)
            weights = torch.cat([weights, always], dim=-1)
        return weights


class DownProjection(nn.Module):
    """x A^T with dropout on x. weight: A of all experts, [E r, d_in], or the shared one."""

    def __init__(self, features: int, config: LoraMoeConfig) -> None:
        super().__init__()
        rows = config.r * (1 if config.variant == "shared_a" else config.total_experts)
        # A module, so that whoever turns dropout off by its class finds it; never called itself.
        self.dropout = nn.Dropout(config.lora_dropout)
        self.memory = config.dropout_memory
        self.weight = nn.Parameter(torch.empty(rows, features))
        # The bound depends on the inputs alone, so one call draws each expert as its own.
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @property
    def p(self) -> float:
        return self.dropout.p

    def forward(self, x: Tensor) -> Tensor:
        if self.dropout.training and self.p:
            dtype = compute_dtype(x, self.weight.dtype)
            # Unpacking bits does not compile (C++ error of inductor, torch 2.13 on AVX2).
            unpackable = self.memory == "bits" and torch.compiler.is_compiling()
            memory = "mask" if unpackable else self.memory
            return DropoutLinear.apply(x, self.weight, self.p, dtype, memory)
        return F.linear(x.to(self.weight.dtype), self.weight)


class UpProjection(nn.Module):
    """Adds the experts' weighted outputs. weight: B of all experts, [d_out, E r]."""

    def __init__(self, features: int, config: LoraMoeConfig) -> None:
        super().__init__()
        self.rank = config.r
        self.weight = nn.Parameter(torch.zeros(features, config.r * config.total_experts))

    def forward(self, base: Tensor, h: Tensor, weights: Tensor, in_place: bool = False) -> Tensor:
        return MixExperts.apply(base, h, weights, self.weight, in_place)


class LoraMoeLayer(BaseTunerLayer):
    """What the gate and the adapted projections share."""

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        refuse_merge()

    def unmerge(self) -> None:
        """Nothing is ever merged."""

    def _install(self, adapter_name: str, config: LoraMoeConfig) -> None:
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)


def refuse_merge() -> None:
    raise InputError(
        "LoRA-MoE adapter: cannot be merged, its experts are weighted anew for every token and no "
        "single matrix equals that; keep it as an adapter (save_pretrained, then "
        "PeftModel.from_pretrained), or call unload() for the base model"
    )


class LoraMoeGate(nn.Module, LoraMoeLayer):
    """A module with the gates of its decoder layer, one per adapter; its output is unchanged."""

    adapter_layer_names = ("lora_moe_gate",)
    other_param_names = ("gate_state",)

    def __init__(
        self, base_layer: nn.Module, adapter_name: str, state: GateState, config: LoraMoeConfig
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.lora_moe_gate = nn.ModuleDict({})
        self.gate_state: dict[str, GateState] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, state, config)

    def update_layer(self, adapter_name: str, state: GateState, config: LoraMoeConfig) -> None:
        weight = getattr(self.get_base_layer(), "weight", None)
        if weight is None:
            raise InputError(
                f"gate_module {config.gate_module!r}: has no weight to take width and device "
                f"from; name another module that runs first in a decoder layer"
            )
        # Under ZeRO-3 a parameter is empty until it is gathered; its true shape is kept aside.
        features = getattr(weight, "ds_shape", weight.shape)[-1]
        self.gate_state[adapter_name] = state
        self.lora_moe_gate[adapter_name] = TokenGate(features, config)
        self._install(adapter_name, config)

    def routing_gates(self) -> dict[str, Any]:
        return {n: self.lora_moe_gate[n] for n in self.active_adapters if n in self.lora_moe_gate}

    def forward(self, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        output = self.base_layer(hidden, *args, **kwargs)
        if not self._disable_adapters:
            for name, gate in self.routing_gates().items():
                source = output if gate.reads_output else hidden
                self.gate_state[name].weights = gate(source)
        return output


class LoraMoeLinear(nn.Module, LoraMoeLayer):
    """A linear layer with the experts of one or more adapters."""

    adapter_layer_names = ("lora_moe_A", "lora_moe_B")
    other_param_names = ("gate_state",)

    def __init__(
        self, base_layer: nn.Module, adapter_name: str, state: GateState, config: LoraMoeConfig
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        features: Any = _get_in_out_features(self.get_base_layer())
        self.in_features, self.out_features = features
        self.lora_moe_A = nn.ModuleDict({})
        self.lora_moe_B = nn.ModuleDict({})
        self.gate_state: dict[str, GateState] = {}
        self.frozen_peft_weight_names = {}
        # Whether tokens may come as [batch x tokens, d_in], in their order (OPT).
        self.may_be_flat = False
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, state, config)

    def update_layer(self, adapter_name: str, state: GateState, config: LoraMoeConfig) -> None:
        self.gate_state[adapter_name] = state
        self.lora_moe_A[adapter_name] = DownProjection(self.in_features, config)
        self.lora_moe_B[adapter_name] = UpProjection(self.out_features, config)
        if not config.train_experts:
            self.frozen_peft_weight_names[adapter_name] = self.adapter_layer_names
        self._install(adapter_name, config)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = self.base_layer(x, *args, **kwargs)
        if self._disable_adapters:
            return result
        for name in self.active_adapters:
            if name not in self.lora_moe_A:
                continue
            weights = self.gate_state[name].weights
            if self.may_be_flat and weights is not None and x.dim() == 2 and weights.dim() == 3:
                weights = weights.flatten(0, 1)
            if weights is None or weights.shape[:-1] != x.shape[:-1]:
                raise InputError(
                    f"LoRA-MoE adapter {name!r}: no gate was computed for this input of shape "
                    f"{tuple(x.shape)}; set gate_module to the module that a decoder layer runs "
                    f"first, on the tokens that its projections see"
                )
            h = self.lora_moe_A[name](x)
            result = self.lora_moe_B[name](result, h, weights, self._may_write_over(result))
        return result

    def expert_matrices(self) -> Iterator[tuple[Tensor, Tensor]]:
        for name in self.active_adapters:
            if name in self.lora_moe_B:
                parts: Any = (self.lora_moe_A[name], self.lora_moe_B[name])
                down, up = (part.weight.detach() for part in parts)
                # Under ZeRO-3 a parameter is empty until it is gathered.
                if up.numel():
                    rank = parts[1].rank
                    yield down.unflatten(0, (-1, rank)), up.unflatten(1, (-1, rank)).transpose(0, 1)

    def _may_write_over(self, result: Tensor) -> bool:
        """Whether nobody else can hold or need the base layer's output.

        A plain linear layer's backward pass does not read it; a hook might have kept it, and a
        view belongs to another tensor. Compiled code finds its own places to write.
        """
        base = self.base_layer
        return (
            type(base) is nn.Linear
            and not (base._forward_hooks or _global_forward_hooks)
            and not result._is_view()
            and not torch.compiler.is_compiling()
        )
