"""The declared contrasts on the printed tables, beside ours: one run a cell, no interval."""

from __future__ import annotations

from dataclasses import dataclass

from lawcheck.declare.design import Contrast, Estimand, RelativeGain
from lawcheck.show.printed import Rows


@dataclass(frozen=True)
class Printed:
    """value: in the estimand's unit. where: the printed table."""

    value: float
    where: str


def printed_estimate(estimand: Estimand, rows: Rows | None) -> Printed | None:
    """The estimand computed from one printed table; None where no table holds all its cells.

    Cells of different tables are never mixed: equal labels differ between some of them.
    """
    if rows is None:
        return None
    for table, where in rows.TABLES.items():
        value = _value(estimand, table, rows)
        if value is not None:
            return Printed(value, where)
    return None


def _value(estimand: Estimand, table: str, rows: Rows) -> float | None:
    if isinstance(estimand, Contrast):
        cells = [(w, rows.published_value(table, a, estimand.target)) for a, w in estimand.weights]
        known = [w * v for w, v in cells if v is not None]
        return 100 * sum(known) if len(known) == len(cells) else None
    if isinstance(estimand, RelativeGain):
        # Printed against discipline LoRA, which is the reference here, too.
        alone = estimand.reference.each_alone and estimand.reference.method == "lora"
        return rows.published_value(table, estimand.arm, "delta_m") if alone else None
    return None
