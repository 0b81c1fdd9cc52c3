"""Table 7: larger ranks and more experts, against a better design of the same size."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS, PLANNED, accuracy_columns, fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fitting, fraction, fraction_block
from lawcheck.studies.discipline_laws.published import (
    BASE_RANK,
    beside_print,
    by_paper,
    cells,
    departures_of,
    printed_share,
)
from lawcheck.studies.discipline_laws.tables.table_8 import design_label

TABLE = Table(
    name="table_7",
    law="optimize_then_scale",
    title="Table 7. Scaling against design",
    caption=(
        f"Accuracy by LoRA rank (multiples of the scale's base rank, {BASE_RANK} in the published "
        "rows), by number of experts, and of the design that shares A. Trainable share: planned "
        "at paper scale, in percent of all parameters; the published shares are those of Table 3, "
        "the published accuracy of shared A that of Table 8. " + INTERVALS
    ),
)
PRINTED = ("table7_params", "table8_design")
SHARE = Column(key="trainable_share", header="Param. (%)", unit="percent", best=False)


def _shown(arm: Arm) -> bool:
    """Scaled, or of another design at the usual size, and on plain data."""
    scaled = arm.method in ("lora", "lora_moe")
    return scaled and departures_of(arm) in (frozenset(), {"size"}, {"variant"})


def _size(arm: Arm) -> int:
    key, usual = ("rank_multiple", 1) if arm.method == "lora" else ("experts", 5)
    return int(arm.choices.get(key, usual))


def label(arm: Arm) -> str:
    """Method and size, or method and design."""
    if arm.method == "lora":
        return f"{method_label(arm)}, rank {_size(arm)}\u00d7"
    if "variant" not in departures_of(arm):
        return f"{method_label(arm)}, {_size(arm)} experts"
    name = design_label(str(arm.choices["variant"]))
    return f"{method_label(arm)}, {name[0].lower()}{name[1:]}"


def _printed(arm: Arm, column: str) -> str | None:
    return printed_share(arm) if column == SHARE.key else cells(*PRINTED)(arm, column)


def build(context: RenderContext) -> Grid:
    arms = fitting(context, TABLE.name, lambda a: not a.each_alone and _shown(a))
    columns = (*accuracy_columns(context), SHARE)
    arms.sort(key=lambda a: (fraction(a), by_paper(a), "variant" in departures_of(a), _size(a)))
    lines = [(fraction_block(a), label(a), a) for a in arms]
    measures = {SHARE.key: lambda a: fixed(context.costs(a, SHARE.key), PLANNED)}
    notes = label_notes(PRINTED[0])
    return beside_print(context, TABLE.name, columns, lines, _printed, notes, measures)
