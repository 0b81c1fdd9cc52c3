"""The configuration of a LoRA-MoE adapter, saved as adapter_config.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft.config import PeftConfig

from lawcheck.errors import InputError, nearest
from lawcheck.methods.lora_moe.arithmetic import VARIANTS
from lawcheck.methods.lora_moe.dropout import FORMS
from lawcheck.methods.lora_moe.peft_type import peft_type


@dataclass
class LoraMoeConfig(PeftConfig):
    """Fields beyond peft's own.

    r, lora_alpha: rank of one expert, and scaling lora_alpha / r. lora_dropout: on the input of
    A, at training only. num_experts: routed experts. variant: `plain`; `shared_expert`, one more
    expert that every token uses in full; `shared_a`, one A for all experts; `rank_route`, one
    gate per rank component.

    target_modules: names, a regular expression, or None for every linear layer but the output
    embedding. layers_to_transform, layers_pattern: as of peft's LoraConfig, with names or None.
    gate_module: the first module a decoder layer runs; the gate reads its `input`
    (the layer's input) or its `output` (gate_input). gate_init: `kaiming` as the experts, or
    `zeros` for a uniform start. gate_dtype: precision of the softmax, `float32` at least or the
    `compute` precision. train_experts: False trains the gates only. expert_names: what expert k
    was trained on, if anything. dropout_memory: how the mask of lora_dropout is kept for the
    backward pass, `bits`, `mask` or `replay` (lawcheck.methods.lora_moe.dropout); no number
    changes with it.
    """

    r: int = 8
    lora_alpha: float = 16
    lora_dropout: float = 0.0
    num_experts: int = 5
    variant: str = "plain"
    target_modules: list[str] | str | None = None
    exclude_modules: list[str] | str | None = None
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[str] | str | None = None
    modules_to_save: list[str] | None = None
    gate_module: str = "input_layernorm"
    gate_input: str = "input"
    gate_bias: bool = False
    gate_init: str = "kaiming"
    gate_dtype: str = "float32"
    train_experts: bool = True
    expert_names: list[str] | None = field(default=None)
    dropout_memory: str = "bits"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = peft_type()
        for key, known in (
            ("variant", VARIANTS),
            ("dropout_memory", FORMS),
            ("gate_input", ("input", "output")),
            ("gate_init", ("kaiming", "zeros")),
            ("gate_dtype", ("float32", "compute")),
        ):
            value = getattr(self, key)
            if value not in known:
                raise InputError(
                    f"LoraMoeConfig: {key} {value!r} is unknown; {nearest(str(value), known)}"
                )
        for key in ("r", "num_experts"):
            if type(getattr(self, key)) is not int or getattr(self, key) < 1:
                raise InputError(
                    f"LoraMoeConfig: {key} is {getattr(self, key)!r}, expected a "
                    f"whole number of at least 1; correct it"
                )
        if self.layers_pattern and self.layers_to_transform is None:
            raise InputError(
                f"LoraMoeConfig: layers_pattern {self.layers_pattern!r} without "
                f"layers_to_transform; name the layers as well"
            )
        if isinstance(self.target_modules, str) and self.layers_to_transform is not None:
            raise InputError(
                f"LoraMoeConfig: layers_to_transform with target_modules {self.target_modules!r}, "
                f"expected a list of names or None; a regular expression can name layers itself"
            )
        if not 0 <= self.lora_dropout < 1:
            raise InputError(
                f"LoraMoeConfig: lora_dropout is {self.lora_dropout}, expected a "
                f"probability in [0, 1); correct it"
            )
        if self.expert_names is not None and len(self.expert_names) != self.num_experts:
            raise InputError(
                f"LoraMoeConfig: {len(self.expert_names)} expert_names for "
                f"{self.num_experts} experts; name each once"
            )

    @property
    def scaling(self) -> float:
        return self.lora_alpha / self.r

    @property
    def total_experts(self) -> int:
        """Routed experts, and the shared one if there is one."""
        return self.num_experts + (self.variant == "shared_expert")
