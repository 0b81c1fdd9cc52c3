"""Table 4: selectors on several base models."""

from __future__ import annotations

import dataclasses

from lawcheck.declare.design import Arm
from lawcheck.show.columns import INTERVALS, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import part_label
from lawcheck.show.printed import lines
from lawcheck.studies.adapters_selector.arms import AMBIGUOUS, TWELVE
from lawcheck.studies.adapters_selector.shown import ACC, SCALE, cell, chosen, columns, notes

TABLE = Table(
    name="selector_table_4",
    law="selector_bases",
    title="Table 4 of Tian et al. Base models",
    caption=(
        "Share of items whose domain and task are both named, 500 rows of each of twelve tasks at "
        "paper size, by base model: the tasks of the domain with ambiguous ones, and means of the "
        "two others. " + INTERVALS
    ),
)
# Domains without ambiguous tasks, as they are printed.
OTHERS = {"medicine": "legal", "geography": "fin"}


def build(context: RenderContext) -> Grid:
    found = chosen(context.law.arms, TWELVE, TABLE.name)
    context.summary.require(found, TABLE.name)
    domain = AMBIGUOUS[0].partition("_")[0]
    wanted: list[Column] = [
        c for c in columns(TWELVE) if c.key == ACC or c.key.startswith(f"{domain}_")
    ]
    for ours, theirs in OTHERS.items():
        tasks = tuple(t for t in TWELVE if t.startswith(f"{ours}_"))
        header = f"{part_label(ours)} ({theirs})"
        wanted.append(Column(key=ours, header=header, unit="accuracy", of=tasks))
    wanted = [dataclasses.replace(c, best=False) for c in wanted]
    rows = [_ours(context, wanted, a) for a in found]
    for line in lines("adapters_selector_t4"):
        cells = tuple(
            Cell(published=line.get(OTHERS.get(c.key, "")) or cell(line, c.key)) for c in wanted
        )
        rows.append(
            Row(
                label=line["model"],
                arm="",
                cells=cells,
                block="Published",
                best=False,
                printed=True,
            )
        )
    return filled(context, wanted, rows, notes(context, wanted), SCALE)


def _ours(context: RenderContext, wanted: list[Column], arm: Arm) -> Row:
    title = context.families.get(arm.base)
    named = title is not None and f"({arm.base})" in title
    label = title if named and title else part_label(arm.base)
    if title is not None and not named:
        label = f"{title} ({label})"
    return row(context, wanted, arm, label)
