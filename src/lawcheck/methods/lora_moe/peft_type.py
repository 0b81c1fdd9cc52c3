"""The name by which peft knows LoRA-MoE: a member of its enum, added from outside peft."""

from __future__ import annotations

from typing import Any

from peft.utils.peft_types import PeftType

NAME = "LORA_MOE"


def peft_type() -> PeftType:
    """Idempotent."""
    add_member(PeftType, NAME)
    return PeftType(NAME)


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
