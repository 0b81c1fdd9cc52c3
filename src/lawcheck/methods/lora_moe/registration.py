"""Make LoRA-MoE a method that peft knows by name, from outside peft."""

from __future__ import annotations

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils.peft_types import register_peft_method

from lawcheck.errors import InputError
from lawcheck.methods.lora_moe.config import LoraMoeConfig
from lawcheck.methods.lora_moe.model import LoraMoeModel
from lawcheck.methods.lora_moe.peft_type import NAME, peft_type


def register() -> None:
    """Idempotent. Raises InputError if another package took the name."""
    known = PEFT_TYPE_TO_CONFIG_MAPPING.get(peft_type())
    if known is None:
        register_peft_method(
            name=NAME.lower(),
            config_cls=LoraMoeConfig,
            model_cls=LoraMoeModel,
            prefix=LoraMoeModel.prefix,
        )
    elif known is not LoraMoeConfig:
        raise InputError(
            f"peft method {NAME!r}: already taken by {known.__module__}, expected it to be free; "
            f"load adapters of only one of the two in a process"
        )
