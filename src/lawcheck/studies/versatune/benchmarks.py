"""Tables 5 to 10: the two benchmarks of a domain apart."""

from __future__ import annotations

import dataclasses

from lawcheck.show.columns import INTERVALS
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.studies.versatune.released import BENCHMARKS
from lawcheck.studies.versatune.shown import FOSTERING, PRINTED_DOMAINS, comparison

# Tables that print the domains, in the paper's order.
FIRST = 5


def table(domain: str) -> Table:
    """What stays the same of a domain's table. domain: as the paper prints it."""
    title = PRINTED_DOMAINS[domain][1]
    number = FIRST + list(BENCHMARKS).index(domain)
    return Table(
        name=f"versatune_table_{number}",
        law="knowledge_consistency",
        title=f"Table {number} of VersaTune. {title} benchmarks",
        caption=(
            f"Accuracy in percent on every task of the domain {title.lower()}, for each base "
            f"model, and below it the published rows, in italics. " + INTERVALS
        ),
    )


def build(context: RenderContext, domain: str) -> Grid:
    """The tasks of a domain that a scale has, then the paper's two. Raises InputError without."""
    name = PRINTED_DOMAINS[domain][0]
    here = [d for d in context.disciplines if d.name == name and context.world in d.worlds]
    own = [t.name for d in here for t in d.worlds[context.world].tasks]
    theirs = [b for b in BENCHMARKS[domain] if b not in own]
    columns = [
        Column(key=task, header=task.replace("_", " "), unit="percent", decimals=2)
        for task in (*own, *theirs)
    ]
    printed = f"versatune_bench_{'_'.join(BENCHMARKS[domain])}"
    grid = comparison(context, table(domain).name, columns, tuple(FOSTERING), printed)
    if own:
        return grid
    said = f"This scale has no domain {PRINTED_DOMAINS[domain][1].lower()}."
    return dataclasses.replace(grid, notes=(said, *grid.notes))
