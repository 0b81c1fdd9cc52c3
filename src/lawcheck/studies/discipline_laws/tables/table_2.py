"""Table 2: general instructions mixed in, against instruction following and the average."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fitting, fraction, general_share
from lawcheck.studies.discipline_laws.published import beside_print, cells, departures_of

TABLE = Table(
    name="table_2",
    law="merge_then_align",
    title="Table 2. General instructions and alignment",
    caption=(
        "Accuracy after fine-tuning on all science data with a share of the general instruction "
        "pool mixed in. Science: mean over the disciplines. Instructions: instruction following "
        "(IFEval in the published rows). " + INTERVALS
    ),
)
COLUMNS = (
    Column(key="average", header="Science (accuracy)", unit="accuracy"),
    Column(key="general", header="Instructions (accuracy)", unit="accuracy"),
)


def general_label(share: float) -> str:
    return f"General data {100 * share:g} %"


def build(context: RenderContext) -> Grid:
    notes = label_notes("table2_if")
    return beside_print(context, TABLE.name, COLUMNS, _arms(context), cells("table2_if"), notes)


def _arms(context: RenderContext) -> list[tuple[str, str, Arm]]:
    """(method, label, arm): the base and what learns each discipline alone, then by method."""
    found = fitting(
        context,
        TABLE.name,
        lambda a: fraction(a) == 1.0 and departures_of(a) <= {"general"},
    )
    alone = [("", method_label(a), a) for a in found if a.each_alone]
    blocks: dict[str, list[Arm]] = {}
    for arm in found:
        if not arm.each_alone:
            blocks.setdefault(method_label(arm), []).append(arm)
    mixed = [
        (method, general_label(general_share(arm)), arm)
        for method, arms in blocks.items()
        for arm in sorted(arms, key=general_share)
    ]
    return [("", "Base model", context.law.base), *alone, *mixed]
