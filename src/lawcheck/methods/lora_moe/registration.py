"""Make LoRA-MoE a method that peft knows by name, from outside peft."""

from __future__ import annotations

from typing import Any

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils.peft_types import PeftType, register_peft_method

from lawcheck.errors import InputError

NAME = "LORA_MOE"


def register() -> None:
    """Idempotent. Raises InputError if another package took the name."""
    # The configuration and the tuner name their peft type when they are imported.
    add_member(PeftType, NAME)
    from lawcheck.methods.lora_moe.config import LoraMoeConfig
    from lawcheck.methods.lora_moe.model import LoraMoeModel

    known = PEFT_TYPE_TO_CONFIG_MAPPING.get(PeftType(NAME))
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


def add_member(enum: Any, name: str) -> None:
    """Add a member whose value is its name to a closed enum of strings, once.

    An enum cannot be extended by subclassing, and peft looks its methods up by enum member: with
    a plain string as key, adapters would be saved under another method's name.
    """
    if name in enum.__members__:
        return
    member = str.__new__(enum, name)
    member._name_ = name
    member._value_ = name
    member._sort_order_ = len(enum.__members__)
    type.__setattr__(enum, name, member)
    enum._member_names_.append(name)
    enum._member_map_[name] = member
    enum._value2member_map_[name] = member
