"""Families of base models before and after discipline LoRA, as several figures show them."""

from __future__ import annotations

from dataclasses import dataclass

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import Look
from lawcheck.show.style import BLACK, BLUE
from lawcheck.studies.discipline_laws.published import departures_of

BEFORE, AFTER = "before", "after discipline LoRA"
LOOKS = {BEFORE: Look(BLACK, "o"), AFTER: Look(BLUE, "s")}
STEP = 0.28


@dataclass(frozen=True)
class Family:
    """One family of base models. title: as figures call it."""

    title: str
    before: Arm
    after: Arm

    @property
    def sides(self) -> dict[str, Arm]:
        return {BEFORE: self.before, AFTER: self.after}


def families(context: RenderContext, wanted_by: str) -> list[Family]:
    """Families with an arm before and one after discipline LoRA, in the order of the law.

    Raises InputError where there is none.
    """
    before = {a.base: a for a in context.law.arms if not a.has_weights}
    after = {
        a.base: a
        for a in context.law.arms
        if a.each_alone
        and a.method == "lora"
        and a.recipe is not None
        and a.recipe.fraction == 1.0
        and not departures_of(a)
    }
    found = [
        Family(context.families.get(base, base.replace("_", " ")), before[base], after[base])
        for base in before
        if base in after
    ]
    if not found:
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares no base model with its discipline "
            f"LoRA; declare both, or leave {wanted_by} out of its list"
        )
    return found


def arm_labels(found: list[Family]) -> dict[Arm, str]:
    return {arm: f"{f.title} {side}" for f in found for side, arm in f.sides.items()}
