"""The tuner: puts a gate into each decoder layer and experts onto its projections."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import torch
from peft.config import PeftConfig
from peft.tuners.tuners_utils import (
    BaseTuner,
    BaseTunerLayer,
    _maybe_include_all_linear_layers,
)
from transformers.pytorch_utils import Conv1D

from lawcheck.errors import InputError
from lawcheck.methods.lora_moe.layer import (
    GateState,
    LoraMoeGate,
    LoraMoeLayer,
    LoraMoeLinear,
    refuse_merge,
)
from lawcheck.methods.targets import LAYER, check_targets

# An expert among several in a layer gets some of the tokens, in an order of its own.
DISPATCHED = re.compile(r"\.\d+\..*\.\d+\.|expert", re.IGNORECASE)


class LoraMoeModel(BaseTuner):
    """A model with LoRA-MoE adapters; made by peft.get_peft_model and its siblings."""

    prefix = "lora_moe_"
    tuner_layer_cls = LoraMoeLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 (peft's declaration)

    def _prepare_adapter_config(self, peft_config: Any, model_config: dict) -> PeftConfig:
        if peft_config.target_modules is None:
            peft_config.target_modules = "all-linear"
        return peft_config

    def inject_adapter(
        self,
        model: torch.nn.Module,
        adapter_name: str,
        autocast_adapter_dtype: bool = True,
        low_cpu_mem_usage: bool = False,
        state_dict: dict[str, torch.Tensor] | None = None,
    ) -> None:
        config: Any = self.peft_config[adapter_name]
        # Before peft rewrites the targets for experts that transformers holds in one tensor. An
        # adapter that is loaded names what it was trained on.
        if state_dict is None and not config.inference_mode:
            asked = config.target_modules
            asked = "all-linear" if asked is None else asked
            check_targets(model, asked, config.layers_to_transform)
        self._stored = None if state_dict is None else list(state_dict)
        super().inject_adapter(
            model, adapter_name, autocast_adapter_dtype, low_cpu_mem_usage, state_dict
        )

    def _prepare_model(self, peft_config: Any, model: torch.nn.Module) -> None:
        """Find the gate of every target, before peft starts to replace modules."""
        whole = peft_config.target_modules == "all-linear"
        peft_config = _maybe_include_all_linear_layers(peft_config, model)
        if whole and peft_config.layers_to_transform is not None:
            # peft looks at the layer only where a module is named without it.
            peft_config.target_modules = {k.rpartition(".")[2] for k in peft_config.target_modules}
        modules = dict(model.named_modules())
        inside = tuple(f"{k}." for k, m in modules.items() if isinstance(m, BaseTunerLayer))
        self._gate_of: dict[str, str] = {}
        for key in modules:
            if not key or (inside and key.startswith(inside)):
                continue
            if self._is_target(peft_config, key):
                self._gate_of[key] = _enclosing_gate(key, peft_config.gate_module, modules)
        self._states = {gate: GateState() for gate in self._gate_of.values()}
        stored = self._stored
        for gate in self._states:
            if stored is not None and not any(
                name.startswith(f"{gate}.lora_moe_gate.") for name in stored
            ):
                raise InputError(
                    f"state_dict: no gate at {gate!r}, expected one for its experts; take the "
                    f"whole state of an adapter, and the gate_module it was trained with"
                )

    def _is_target(self, peft_config: PeftConfig, key: str) -> Any:
        if self._stored is None:
            return super()._check_target_module_exists(peft_config, key)
        return any(name.startswith(f"{key}.lora_moe_A.") for name in self._stored)

    def _check_target_module_exists(  # type: ignore[override]  # static in peft, called on self
        self, peft_config: PeftConfig, key: str
    ) -> Any:
        return key in self._states or super()._check_target_module_exists(peft_config, key)

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: torch.nn.Module,
        target_name: str,
        parent: torch.nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        is_gate = current_key in self._states
        state = self._states[current_key if is_gate else self._gate_of[current_key]]
        if isinstance(target, LoraMoeGate | LoraMoeLinear):
            target.update_layer(adapter_name, state, peft_config)
            return
        if is_gate:
            module: LoraMoeGate | LoraMoeLinear = LoraMoeGate(
                target, adapter_name, state, peft_config
            )
        elif isinstance(target, torch.nn.Linear | Conv1D):
            module = LoraMoeLinear(target, adapter_name, state, peft_config)
            module.may_be_flat = DISPATCHED.search(current_key) is None
        else:
            raise InputError(
                f"target {current_key!r}: found {type(target).__name__}, expected a linear layer; "
                f"take it out of target_modules"
            )
        if adapter_name not in self.active_adapters:
            # A further adapter is not trained until it is set active.
            module.requires_grad_(False)
        self._replace_module(parent, target_name, module, target)

    def _check_merge_allowed(self) -> None:
        refuse_merge()

    @contextlib.contextmanager
    def _enable_peft_forward_hooks(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        if kwargs.get("adapter_names") is not None:
            raise InputError(
                "LoRA-MoE adapter: adapter_names in a forward call is not supported; use "
                "set_adapter and one adapter per batch"
            )
        yield


def _enclosing_gate(key: str, gate_module: str, modules: dict[str, Any]) -> str:
    """The module named `gate_module` in the innermost module around `key` that has one."""
    parts = key.split(".")
    for depth in range(len(parts) - 1, -1, -1):
        candidate = ".".join([*parts[:depth], gate_module])
        if candidate in modules and candidate != key:
            return candidate
    layer = LAYER.fullmatch(key)
    head = key[: layer.start("inner")] if layer else ""
    norms = [
        k.removeprefix(head)
        for k, m in modules.items()
        if layer and k.startswith(head) and "norm" in type(m).__name__.lower()
    ]
    known = f" (here {', '.join(norms[:4])})" if norms else ""
    raise InputError(
        f"target {key!r}: no module {gate_module!r} in any module around it; set gate_module to "
        f"the first module that a decoder layer runs{known}, or take the target out"
    )
