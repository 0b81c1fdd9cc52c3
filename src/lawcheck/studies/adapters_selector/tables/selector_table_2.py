"""Table 2: selectors of twelve tasks by size, embedding and distance."""

from __future__ import annotations

from lawcheck.show.audit.declared import Tables
from lawcheck.show.columns import INTERVALS, filled
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.show.printed import printed
from lawcheck.studies.adapters_selector.arms import TWELVE
from lawcheck.studies.adapters_selector.checks import best_by_average, table
from lawcheck.studies.adapters_selector.shown import (
    SCALE,
    ceiling_row,
    chosen,
    columns,
    notes,
    selectors,
)

TABLE = Table(
    name="selector_table_2",
    law="select_representatives",
    title="Table 2 of Tian et al. Twelve tasks",
    caption=(
        "Share of items whose domain and task are both named, by rows selected of each task at "
        "paper size, embedding and distance. Below the published sizes: rows drawn at random, and "
        "smaller selections with the optimizer steps of the largest. " + INTERVALS
    ),
)


def build(context: RenderContext) -> Grid:
    found = chosen(context.law.arms, TWELVE, TABLE.name)
    context.summary.require(found, TABLE.name)
    wanted = columns(TWELVE, rows=True)
    rows = selectors(context, found, wanted, 2, "Selectors")
    rows += ceiling_row(context, wanted, "Selectors")
    tables: Tables = {table(2): printed(table(2))}
    said = [
        f"Published, {f.where}: {f.printed} is best as printed, {f.recomputed} by its cells."
        for f in best_by_average(tables)
    ]
    return filled(context, wanted, rows, [*notes(context, wanted), *said], SCALE)
