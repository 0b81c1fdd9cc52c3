"""Table 6: general instructions mixed in or not, discipline by discipline."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS, accuracy_columns
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fitting, fraction, fraction_block, general_share
from lawcheck.studies.discipline_laws.published import (
    beside_print,
    by_paper,
    cells,
    departures_of,
)

TABLE = Table(
    name="table_6",
    law="merge_then_align",
    title="Table 6. General instructions by discipline",
    caption=(
        "Accuracy with all of the general instruction pool mixed in and without, by share of the "
        "training data of each discipline. " + INTERVALS
    ),
)
PRINTED = "table6_if_full"


def label(arm: Arm) -> str:
    return f"{method_label(arm)} + general data" if general_share(arm) else method_label(arm)


def build(context: RenderContext) -> Grid:
    arms = fitting(
        context,
        TABLE.name,
        lambda a: (
            not a.each_alone and departures_of(a) <= {"general"} and general_share(a) in (0.0, 1.0)
        ),
    )
    arms.sort(key=lambda a: (fraction(a), by_paper(a), general_share(a)))
    lines = [(fraction_block(a), label(a), a) for a in arms]
    columns, notes = accuracy_columns(context), label_notes(PRINTED)
    return beside_print(context, TABLE.name, columns, lines, cells(PRINTED), notes)
