"""Arms of the study in words: `Selector of 12 tasks (500, TF-IDF, COS)`."""

from __future__ import annotations

from lawcheck.declare.design import Arm, Selection
from lawcheck.methods.selector import METHOD
from lawcheck.show.labels import words
from lawcheck.studies.adapters_selector.shown import selection_label

MADE = {
    "routed": "Adapters routed by the selector",
    "oracle": "Right adapter of {n} tasks",
    "soup": "{n} adapters concatenated",
    "state_mean": "States of {n} adapters averaged",
}

KINDS = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "pissa": "PiSSA"}


def label(arm: Arm) -> str | None:
    """None for an arm that selects no rows of tasks."""
    if arm.base not in ("default", "small"):
        return None
    found = _label(arm)
    return found if found is None or arm.base == "default" else f"{found}, small base"


def _label(arm: Arm) -> str | None:
    selection = arm.selection
    if arm.method in MADE and arm.parents:
        adapters = [p for p in arm.parents if p.method == "lora"]
        return MADE[arm.method].format(n=len(adapters))
    if selection is None or arm.recipe is None:
        return None
    if arm.method == "lookup":
        return f"Regression on {len(selection.tasks)} tasks ({selection_label(selection)})"
    if arm.method == "selector":
        return _selector(arm, selection)
    one = (
        words(selection.tasks[0]) if len(selection.tasks) == 1 else f"{len(selection.tasks)} tasks"
    )
    balanced = ", balanced loss" if arm.recipe.objective == "task_balanced" else ""
    kind = {"lora": "LoRA", "mola": "LoRA experts", "mtl_lora": "MTL-LoRA"}.get(arm.method)
    return None if kind is None else f"{kind} on {one}{balanced}"


def _selector(arm: Arm, selection: Selection) -> str:
    if not arm.parents:
        text = f"Selector of {len(selection.tasks)} tasks ({selection_label(selection)})"
        design = {**METHOD.design, **arm.choices}
        kind = f", {KINDS[str(design['init'])]} r {design['rank']}, \u03b1 {design['alpha']}"
        return text + (kind if arm.choices else "")
    before = arm.parents[0].selection
    share = f"{100 * selection.retained:g} % of the other rows"
    old = () if before is None else before.tasks
    if set(selection.tasks) > set(old):
        return f"Tasks added, {share}"
    if set(selection.tasks) < set(old):
        return f"Tasks deleted, {100 * selection.retained:g} % of the rows"
    return f"Tasks balanced, {share}"
