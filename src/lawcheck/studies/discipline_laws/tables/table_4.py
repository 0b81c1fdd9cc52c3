"""Table 4: every method at every data fraction, and how rough its curve is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lawcheck.declare.estimands import Curve
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS, accuracy_columns
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fitting, fraction, fraction_block
from lawcheck.studies.discipline_laws.curves import curves, peak_cell, roughness_cell
from lawcheck.studies.discipline_laws.published import (
    beside_print,
    by_paper,
    cells,
    departures_of,
)

TABLE = Table(
    name="table_4",
    law="variability",
    title="Table 4. Methods over data fractions",
    caption=(
        "Accuracy by method and share of the training data. Roughness: residual standard "
        "deviation around a line in the logarithm of the data fraction, in points of accuracy; "
        "its average pools the residual variances of the disciplines, as the judge does; its "
        "interval is over seeds only; item sampling makes part of it in both rows, and the "
        "published one is computed here from the published cells. Peak: highest mean over the "
        "data fractions; descriptive, for the highest of several noisy means is too high. Neither "
        "is given for a curve that lacks a fraction. " + INTERVALS
    ),
)
PRINTED = "table4_scales"
ROUGHNESS, PEAK = "Roughness over data fractions (points)", "Peak over data fractions"


def build(context: RenderContext) -> Grid:
    arms = fitting(context, TABLE.name, lambda a: not departures_of(a))
    columns = accuracy_columns(context)
    lines = [
        (fraction_block(a), method_label(a), a)
        for a in sorted(arms, key=lambda a: (fraction(a), by_paper(a)))
    ]
    more = _over_fractions(context, columns, curves(sorted(arms, key=by_paper)))
    notes, text = label_notes(PRINTED), cells(PRINTED)
    return beside_print(context, TABLE.name, columns, lines, text, notes, more=more)


def _over_fractions(
    context: RenderContext, columns: Sequence[Column], lines: dict[str, Curve]
) -> list[Row]:
    kinds: dict[str, tuple[Callable[..., Cell], dict[str, Any]]] = {
        ROUGHNESS: (roughness_cell, {"unit": "points", "decimals": 2}),
        PEAK: (peak_cell, {}),
    }
    return [
        Row(
            label=label,
            arm="",
            cells=tuple(cell(context, curve, c.key, PRINTED) for c in columns),
            block=block,
            best=False,
            **more,
        )
        for block, (cell, more) in kinds.items()
        for label, curve in lines.items()
    ]
