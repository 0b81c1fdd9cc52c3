"""Arms of the discipline laws on part of the rows, and controls."""

from __future__ import annotations

import dataclasses

from lawcheck.declare.design import Arm, Recipe, arm
from lawcheck.studies.discipline_laws.arms import BASE, TUNED, discipline_lora, full, lora_moe

__all__ = [
    "AGAIN",
    "BASE",
    "DISCIPLINE_LORA",
    "FOREIGN",
    "FULL",
    "LETTERED",
    "PLAIN",
    "SHARED_A",
    "TUNED_MOE",
]

# Of the rows of the discipline laws: three seeds of all arms take 80 minutes on two cores.
SHARE = 0.25
PART = Recipe(fraction=SHARE)

DISCIPLINE_LORA = discipline_lora(SHARE)
FULL = full(PART)
PLAIN, SHARED_A = lora_moe("plain", PART), lora_moe("shared_a", PART)
TUNED_MOE = lora_moe("shared_a", dataclasses.replace(TUNED, fraction=SHARE, general_share=SHARE))
# Controls: the same rows in another order, and every response under another row's prompt.
AGAIN = lora_moe("shared_a", dataclasses.replace(PART, replica=2))
FOREIGN: Arm = arm("lora", dataclasses.replace(PART, objective="foreign"))
# Whose items are answered by one of a few options.
LETTERED = ("chemistry", "biology", "medicine", "geography")
