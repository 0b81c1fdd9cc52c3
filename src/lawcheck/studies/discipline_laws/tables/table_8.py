"""Table 8: the designs of LoRA-MoE at each data fraction."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.columns import INTERVALS, accuracy_columns
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.show.selection import fraction_block
from lawcheck.studies.discipline_laws.published import beside_print, cells

TABLE = Table(
    name="table_8",
    law="share_then_specialize",
    title="Table 8. Designs of LoRA-MoE",
    caption="Accuracy of LoRA-MoE by design and share of the training data. " + INTERVALS,
)
# In the paper's order; a design that is not listed comes after them.
DESIGNS = {
    "plain": "Plain",
    "shared_expert": "Shared expert",
    "shared_a": "Shared A",
    "rank_route": "Rank-wise routing",
}


def design_arms(context: RenderContext, wanted_by: str) -> dict[float, list[tuple[str, Arm]]]:
    """Data fraction -> (design, arm), for plain mixtures only.

    Raises InputError when the law declares none.
    """
    found: dict[float, list[tuple[str, Arm]]] = {}
    for arm in context.law.arms:
        recipe = arm.recipe
        if arm.method != "lora_moe" or recipe is None or arm.base != "default":
            continue
        if recipe.upsampling or recipe.general_share or recipe.disciplines is not None:
            continue
        if arm.choices.get("experts", 5) != 5:
            continue
        found.setdefault(recipe.fraction, []).append((str(arm.choices["variant"]), arm))
    if not found:
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares no lora_moe arm without upsampling "
            f"and general data; declare one, or leave {wanted_by} out of its list"
        )
    order = list(DESIGNS)
    place = {name: i for i, name in enumerate(order)}
    return {
        fraction: sorted(arms, key=lambda pair: (place.get(pair[0], len(order)), pair[0]))
        for fraction, arms in sorted(found.items())
    }


def design_label(variant: str) -> str:
    return DESIGNS.get(variant, variant.replace("_", " "))


def build(context: RenderContext) -> Grid:
    groups = design_arms(context, TABLE.name).values()
    lines = [(fraction_block(a), design_label(v), a) for arms in groups for v, a in arms]
    columns = accuracy_columns(context)
    return beside_print(context, TABLE.name, columns, lines, cells("table8_design"))
