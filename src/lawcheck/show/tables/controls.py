"""The controls of a scale: what each found, what it needed, and whether it passed."""

from __future__ import annotations

from lawcheck.declare.design import PartVerdict
from lawcheck.errors import InputError
from lawcheck.judging.controls import false_positives, passed
from lawcheck.planning.controls import NAME, NULL
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import part_label
from lawcheck.show.summary import Measure

TABLE = Table(
    name=NAME,
    title="Controls",
    caption=(
        "Estimate \u00b1 half width of the two-sided (1 - 2 alpha) interval that the tests read. A "
        "bound passes where it is shown, an effect where at least its smallest is. A level of the "
        "base is less the middle of its range."
    ),
    law=NAME,
)
FOUND, NEEDED = "found", "needed"
COLUMNS = (
    Column(key=FOUND, header="Found", unit="", decimals=2, best=False),
    Column(key=NEEDED, header="Needed", unit="", decimals=2, best=False),
)
BLOCKS = ("Has to be seen", "Must not be seen")


def build(context: RenderContext) -> Grid:
    verdict = context.verdict
    if verdict is None:
        raise InputError(f"table {NAME!r}: no verdict; run: lawcheck controls {context.scale_name}")
    rows = tuple(_row(p) for p in verdict.parts if not p.name.startswith(NULL))
    return Grid(
        columns=COLUMNS,
        rows=rows,
        scale=context.scale_name,
        notes=(f"{false_positives(verdict).line[0].upper()}{false_positives(verdict).line[1:]}.",),
    )


def _row(part: PartVerdict) -> Row:
    needed = part.sesoi if part.margin is None else part.margin
    signed = -needed if part.alternative == "less" else needed
    sides = {"equivalent": "within", "no_gain": "at most", "less": "at most"}
    word = "passed" if passed(part) else "not tested" if part.outcome == "not tested" else "failed"
    absent = part.name.startswith(("identical_", "relabelled"))
    return Row(
        label=part_label(part.name),
        arm="",
        cells=(
            Cell(measure=_measure(part), remark=word),
            Cell(measure=_fixed(signed), remark=f"{sides.get(part.alternative, 'at least')}"),
        ),
        block=BLOCKS[absent],
        unit=part.unit,
    )


def _measure(part: PartVerdict) -> Measure | None:
    if part.estimate is None:
        return None
    return Measure(
        value=part.estimate,
        low=part.low,
        high=part.high,
        interval="two-sided (1 - 2 alpha)",
        n_seeds=part.n_seeds,
        n_items=part.n_items,
        n_unscored=part.n_unscored,
    )


def _fixed(value: float) -> Measure:
    return Measure(
        value=value, low=None, high=None, interval="declared", n_seeds=0, n_items=0, n_unscored=0
    )
