"""Which printed row is an arm's, and how the paper calls and orders its methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from lawcheck.declare.design import Arm, Recipe
from lawcheck.errors import InputError
from lawcheck.show.columns import filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Row
from lawcheck.show.printed import lines
from lawcheck.show.summary import Measure
from lawcheck.studies.discipline_laws.arms import TUNED

# Of the numbers in print, beside another scale's.
SCALE = "published, 7B, one run"

# Tables that print scores of arms.
TABLES = {
    "table3_final": "Table 3",
    "table8_design": "Table 8",
    "table7_params": "Table 7",
    "table6_if_full": "Table 6",
    "table5_upsample": "Table 5",
    "table4_scales": "Table 4",
    "table2_if": "Table 2",
}
# The columns of those tables, by the names that arms are measured under here.
COLUMNS = {
    "chemistry": "chem",
    "medicine": "med",
    "biology": "bio",
    "math": "math",
    "geography": "geo",
    "average": "avg",
    "general": "ifeval",
    "out_of_domain": "mmlu",
    "delta_m": "delta_m_pct",
    "trainable_share": "param_pct",
    "gpu_hours": "gpu_hours",
}
# In the order of the paper's widest table.
METHODS = {"full": "FT", "lora": "LoRA", "lora_moe": "LoRA-MoE", "lora_comp": "LoRA-Comp"}
BASE_RANK = 16


def published_text(table: str, arm: Arm, column: str) -> str | None:
    """The printed cell of an arm, or None when the table does not hold it.

    table: `table2_if` to `table8_design`. column: a discipline,
    `average`, `general`, `out_of_domain`, `delta_m`, `trainable_share` or `gpu_hours`.
    """
    rows = lines(table)
    wanted = COLUMNS.get(column, column)
    if table == "table2_if" and column == "average":
        wanted = "science"
    keys = _keys(table, arm)
    if keys is None or wanted not in rows[0]:
        return None
    chosen = [line for line in rows if all(line[k] == v for k, v in keys.items())]
    if len(chosen) > 1:
        raise InputError(f"published table {table!r}: {len(chosen)} rows fit arm {arm.name!r}")
    return (chosen[0][wanted] or None) if chosen else None


def published_value(table: str, arm: Arm, column: str) -> float | None:
    """As `published_text`, as a number; None also where the cell is not a plain number."""
    text = published_text(table, arm, column)
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def cells(*tables: str) -> Callable[[Arm, str], str | None]:
    """(arm, column) -> the printed cell in the first of these tables that holds it."""

    def text(arm: Arm, column: str) -> str | None:
        found = (published_text(t, arm, column) for t in tables)
        return next((t for t in found if t is not None), None)

    return text


def beside_print(
    context: RenderContext,
    name: str,
    columns: Sequence[Column],
    lines: Sequence[tuple[str, str, Arm]],
    text: Callable[[Arm, str], str | None],
    said: Sequence[str] = (),
    measures: Mapping[str, Callable[[Arm], Measure | None]] | None = None,
    more: Sequence[Row] = (),
) -> Grid:
    """A table of arms with the printed cells beside. lines: (block, label, arm). more: last rows.

    Raises InputError where no arm has scores.
    """
    context.summary.require([arm for _, _, arm in lines], name)
    rows = [row(context, columns, arm, label, block, text, measures) for block, label, arm in lines]
    return filled(context, columns, [*rows, *more], said, published_scale=SCALE)


def gpu_hours(arm: Arm) -> float | None:
    """Of training, as printed."""
    return published_value("table3_final", arm, "gpu_hours")


def by_paper(arm: Arm) -> tuple[bool, int, str]:
    """Sort key of methods: each discipline alone, then in the paper's order, then others."""
    order = list(METHODS)
    place = order.index(arm.method) if arm.method in METHODS else len(order)
    return not arm.each_alone, place, arm.method


def _keys(table: str, arm: Arm) -> dict[str, str] | None:
    """The cells that identify an arm's row; None when the table has no place for such an arm."""
    if arm.base != "default":
        return None
    if arm.method == "base":
        return {"table3_final": {"method": "QWen 2.5 7B Instruct"}, "table2_if": _IF_BASE}.get(
            table
        )
    if arm.method not in METHODS or arm.recipe is None or arm.recipe.disciplines is not None:
        return None
    if arm.each_alone and arm.method != "lora":
        return None
    method = "Discipline LoRA" if arm.each_alone else METHODS[arm.method]
    departures = departures_of(arm)
    data = f"{100 * arm.recipe.fraction:g}"
    if table == "table3_final":
        return _keys_of_table_3(arm, arm.recipe, method, departures)
    if table == "table2_if":
        if departures - {"general"} or data != "100":
            return None
        if arm.each_alone:
            return None if departures else {"method": "Dis. LoRA"}
        return {"method": method, "if_pct_as_printed": f"{100 * arm.recipe.general_share:g}"}
    shown = {
        "table4_scales": None,
        "table5_upsample": "upsampling",
        "table6_if_full": "general",
        "table7_params": "size",
        "table8_design": "variant",
    }
    if table not in shown or departures - {shown[table]}:
        return None
    if arm.recipe.general_share not in (0.0, 1.0):
        return None
    up = arm.recipe.upsampling
    return {
        "method": method,
        "variant": _variant(table, arm, arm.recipe),
        "data_pct": data,
        "upsample": f"{up.target // 1000}K" if up else "NA",
        "if_mix": f"{arm.recipe.general_share:g}",
    }


_IF_BASE = {"method": "Qwen 2.5"}


def departures_of(arm: Arm) -> frozenset[str]:
    """In what an arm departs from the paper's plain setting of its method.

    Some of `upsampling`, `general`, `size` (rank or number of experts), `variant`; the data
    fraction is no departure. An arm that trains nothing departs in nothing.
    """
    found = set()
    if arm.recipe is not None and arm.recipe.upsampling:
        found.add("upsampling")
    if arm.recipe is not None and arm.recipe.general_share:
        found.add("general")
    if arm.choices.get("rank_multiple", 1) != 1 or arm.choices.get("experts", 5) != 5:
        found.add("size")
    if arm.choices.get("variant", "plain") != "plain":
        found.add("variant")
    return frozenset(found)


def printed_share(arm: Arm) -> str | None:
    """The printed trainable share of an arm's method and design, in percent, or None.

    Only Table 3 prints shares, for one recipe a design; what trains does not depend on the data.
    """
    if arm.recipe is None:
        return published_text("table3_final", arm, "trainable_share")
    for recipe in (Recipe(), TUNED):
        same = dataclasses.replace(arm, recipe=recipe)
        text = published_text("table3_final", same, "trainable_share")
        if text is not None:
            return text
    return None


def _keys_of_table_3(
    arm: Arm, recipe: Recipe, method: str, departures: frozenset[str]
) -> dict[str, str] | None:
    if recipe.fraction != 1.0 or arm.method not in ("full", "lora_moe", "lora"):
        return None
    if arm.each_alone:
        return {"method": method} if not departures else None
    if arm.method == "lora":
        return None
    if not departures:
        return {"method": method, "variant": "ori."}
    up = recipe.upsampling
    upsampled = up is not None and (up.kind, up.target) == ("diverse", 100_000)
    design = {"variant"} if arm.method == "lora_moe" else set()
    tuned = (
        upsampled
        and recipe.general_share == 1.0
        and departures == {"upsampling", "general"} | design
        and arm.choices.get("variant", "shared_a") == "shared_a"
    )
    return {"method": method, "variant": "tuned"} if tuned else None


def _variant(table: str, arm: Arm, recipe: Recipe) -> str:
    if table == "table5_upsample" and recipe.upsampling:
        return recipe.upsampling.kind
    if table == "table6_if_full" and recipe.general_share:
        return "mix gen"
    if table == "table7_params" and arm.method == "lora":
        return f"r={BASE_RANK * int(arm.choices.get('rank_multiple', 1))}"
    if table == "table7_params" and arm.method == "lora_moe":
        return f"e={arm.choices.get('experts', 5)}"
    if table == "table8_design":
        names = {"shared_expert": "shared expert", "shared_a": "shared A"}
        variant = str(arm.choices.get("variant", "plain"))
        return "" if variant == "plain" else names.get(variant, variant.replace("_", " "))
    return ""
