"""The controls of a scale: what each found, what it needed, and whether it passed."""

from __future__ import annotations

from lawcheck.declare.design import Hypothesis, PartVerdict
from lawcheck.errors import InputError
from lawcheck.judging.controls import false_positives, said
from lawcheck.planning.controls import NAME
from lawcheck.show.columns import fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import part_label
from lawcheck.show.summary import Measure

TABLE = Table(
    name=NAME,
    title="Controls",
    caption=(
        "Estimate \u00b1 half width of the two-sided (1 - 2 alpha) interval that the tests read. A "
        "control passes where the interval lies above, below or inside what it needs."
    ),
    law=NAME,
)
FOUND, NEEDED = "found", "needed"
COLUMNS = (
    Column(key=FOUND, header="Found", unit="", decimals=2, best=False),
    Column(key=NEEDED, header="Needed", unit="", decimals=2, best=False),
)
BLOCKS = ("Has to be seen", "Must not be seen")
ABSENT = ("identical_", "relabelled")


def build(context: RenderContext) -> Grid:
    verdict = context.verdict
    if verdict is None:
        raise InputError(f"table {NAME!r}: no verdict; run: lawcheck controls {context.scale_name}")
    declared = {h.name: h for h in context.law.hypotheses}
    rows = tuple(_row(declared[p.name], p) for p in verdict.parts if p.role == "primary")
    line = false_positives(verdict).line
    return Grid(
        columns=COLUMNS,
        rows=rows,
        scale=context.scale_name,
        notes=(f"{line[0].upper()}{line[1:]}.",),
    )


def _row(h: Hypothesis, part: PartVerdict) -> Row:
    less = getattr(h.estimand, "against", 0.0)
    found = None
    if part.estimate is not None:
        low, high = (None if v is None else v + less for v in (part.low, part.high))
        found = Measure(
            value=part.estimate + less,
            low=low,
            high=high,
            interval="two-sided (1 - 2 alpha)",
            n_seeds=part.n_seeds,
            n_items=part.n_items,
            n_unscored=part.n_unscored,
        )
    edge, sides = part.margin or 0.0, {"no_gain": "below", "less": "below", "greater": "above"}
    needed = Cell(
        measure=fixed(less + edge, "declared"),
        remark=f"from {less - edge:g}" if h.alternative == "equivalent" else sides[h.alternative],
    )
    absent = h.name.startswith(ABSENT)
    return Row(
        label=part_label(h.name),
        arm="",
        cells=(Cell(measure=found, remark=said(part)), needed),
        block=BLOCKS[absent],
        unit=part.unit,
    )
