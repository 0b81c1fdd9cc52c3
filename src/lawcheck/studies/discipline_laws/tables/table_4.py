"""Table 4: every method at every data fraction, and how rough its curve is."""

from __future__ import annotations

from collections.abc import Sequence

from lawcheck.declare.estimands import Curve
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS, accuracy_columns, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Row, Table
from lawcheck.show.selection import fitting, fraction, fraction_block, method_label
from lawcheck.studies.discipline_laws.curves import curves, peak_cell, roughness_cell
from lawcheck.studies.discipline_laws.published import SCALE, by_paper, cells, departures_of

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
    context.summary.require(arms, TABLE.name)
    columns = accuracy_columns(context)
    rows = [
        row(context, columns, arm, method_label(arm), fraction_block(arm), cells(PRINTED))
        for arm in sorted(arms, key=lambda a: (fraction(a), by_paper(a)))
    ]
    lines = curves(sorted(arms, key=by_paper))
    rows += _over_fractions(context, columns, lines)
    return filled(context, columns, rows, label_notes(PRINTED), published_scale=SCALE)


def _over_fractions(
    context: RenderContext, columns: Sequence[Column], lines: dict[str, Curve]
) -> list[Row]:
    rough = [
        Row(
            label=label,
            arm="",
            cells=tuple(roughness_cell(context, curve, c.key, PRINTED) for c in columns),
            block=ROUGHNESS,
            unit="points",
            decimals=2,
            best=False,
        )
        for label, curve in lines.items()
    ]
    peaks = [
        Row(
            label=label,
            arm="",
            cells=tuple(peak_cell(context, curve, c.key, PRINTED) for c in columns),
            block=PEAK,
            best=False,
        )
        for label, curve in lines.items()
    ]
    return [*rough, *peaks]
