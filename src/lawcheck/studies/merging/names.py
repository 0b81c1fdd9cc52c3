"""Arms of the study as the paper calls them: `Instruct-CPT-SFT-DPO-SLERP`."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.studies.merging.arms import CPT, EXTENDED, LADDER, LARGER, instruct, untrained
from lawcheck.studies.merging.strategies import MERGES, chain

CORPORA = {EXTENDED: "extended", LARGER: "larger"}


def label(arm: Arm) -> str | None:
    """None for an arm that is none of this study."""
    if arm.base not in LADDER:
        return None
    found = _label(arm)
    return found if found is None or arm.base == "text" else f"{found} ({arm.base})"


def _label(arm: Arm) -> str | None:
    if arm == untrained(arm.base):
        return "Base"
    if arm == instruct(arm.base):
        return "Instruct"
    if arm.method in MERGES and len(arm.parents) == 2:
        partner, tuned = arm.parents
        above = _label(tuned)
        if above is None:
            return None
        if partner != instruct(arm.base):
            return f"{_label(partner)}, merged with its replica"
        schedule = str(arm.choices.get("schedule", "reference")).replace("_", " ")
        plain = schedule == "reference"
        return f"{above}-{MERGES[arm.method]}" + ("" if plain else f", schedule {schedule}")
    start, stages = chain(arm, instruct(arm.base))
    if not stages or arm.recipe is None:
        return None
    if arm.recipe in CORPORA:
        return f"{start}-CPT ({CORPORA[arm.recipe]} corpus)"
    text = "-".join((start, *stages))
    if arm.recipe.stop_after and arm.recipe.epochs == CPT.epochs:
        text += f"@{arm.recipe.stop_after}"
    return text
