"""Whether printed scores can be k of n items (GRIM; Brown and Heathers 2017)."""

from __future__ import annotations

import math
from collections import defaultdict

from lawcheck.show.audit.declared import Finding, Tables
from lawcheck.show.audit.schema import Cell, Printed, cells, stated_sizes

# Sizes searched where none is stated.
LARGEST = 2000
LEAST_VALUES = 12


def check(tables: Tables) -> list[Finding]:
    return [*against_stated_sizes(tables), *possible_sizes(tables)]


def possible(printed: Printed, n: int, unit: float = 1.0) -> bool:
    """Whether some whole number of n items is printed like this."""
    low, high = printed.low / unit * n, printed.high / unit * n
    slack = 1e-9 * n
    return math.ceil(low - slack) <= math.floor(high + slack)


def reachable(n: int, step: float) -> float:
    """Share of printed values that k/n can produce; 1 means the test cannot fail."""
    return min(1.0, n * step)


def sizes(tables: Tables) -> dict[tuple[str, str], list[tuple[int, str, str]]]:
    """(paper, column) -> stated sizes: items, what they count, status.

    Benchmarks with sub-tasks are left out: their score may be a mean of means.
    """
    found: dict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for paper, column, row in stated_sizes(tables):
        if row.get("subtasks", "") == "":
            entry = (int(row["n_items"]), row["benchmark"], row.get("status", "stated"))
            found[paper, column].append(entry)
    return found


def _columns(tables: Tables) -> dict[tuple[str, str], list[Cell]]:
    columns: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells(tables):
        if cell.column in cell.spec.means:
            continue
        columns[cell.spec.paper, cell.quantity].append(cell)
    return columns


def against_stated_sizes(tables: Tables) -> list[Finding]:
    columns = _columns(tables)
    found = []
    for (paper, column), stated in sizes(tables).items():
        values = _distinct(columns.get((paper, column), []))
        if not values:
            continue
        tally = []
        for n, what, status in stated:
            step = max(2 * c.printed.half / c.spec.unit for c in values)
            wrong = [c for c in values if not possible(c.printed, n, c.spec.unit)]
            tally.append((n, what, status, reachable(n, step), wrong))
        rivals = [t for t in tally if not t[4]]
        for n, what, status, share, wrong in tally:
            if not wrong:
                continue
            other = f"; all are possible at {rivals[0][0]} ({rivals[0][1]})" if rivals else ""
            firm = status in ("official", "stated")
            found.append(
                Finding(
                    paper=paper,
                    where=f"{wrong[0].spec.where}, {column}",
                    kind="granularity",
                    printed=", ".join(c.printed.text for c in wrong),
                    recomputed=f"k/{n} for a whole k",
                    note=(
                        f"{len(wrong)} of {len(values)} distinct values cannot be a share of {n} "
                        f"items ({what}, {status}); of as many random numbers "
                        f"{share * len(values):.1f} would fit by chance, here "
                        f"{len(values) - len(wrong)} do{other}. Repeated sampling or another "
                        f"subset would explain it"
                    ),
                    severity="warning" if firm else "note",
                    confidence="medium" if firm else "low",
                )
            )
    return found


def _distinct(column: list[Cell]) -> list[Cell]:
    return list({c.printed.text: c for c in column}.values())


def possible_sizes(tables: Tables) -> list[Finding]:
    """Where no size is official: the sizes at which every printed value is possible."""
    official = {
        key
        for key, stated in sizes(tables).items()
        if any(status in ("official", "stated") for _, _, status in stated)
    }
    known = {paper for paper, _ in sizes(tables)}
    groups: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for (paper, column), all_cells in _columns(tables).items():
        for cell in all_cells:
            # Without any stated size, two tables need not share their test items.
            where = "all tables" if paper in known else cell.spec.where
            groups[paper, where, column].append(cell)
    found = []
    for (paper, where, column), all_cells in groups.items():
        values = _distinct(all_cells)
        if (paper, column) in official or len(values) < LEAST_VALUES:
            continue
        if any(c.spec.unit != 1 for c in values):
            # Benchmarks of sub-tasks, whose sizes are stated elsewhere.
            continue
        step = min(2 * c.printed.half / c.spec.unit for c in values)
        # Above 1/step every value is possible and nothing is learnt.
        top = min(LARGEST, int(1 / step))
        fits = [
            n for n in range(2, top) if all(possible(c.printed, n, c.spec.unit) for c in values)
        ]
        found.append(
            Finding(
                paper=paper,
                where=f"{where}, {column}",
                kind="possible_sizes",
                printed=f"{len(values)} distinct values",
                recomputed=_listed(fits) if fits else f"no size below {top}",
                note=f"test-set sizes below {top} at which every printed value is k/n",
                severity="note",
                confidence="medium",
            )
        )
    return found


def _listed(fits: list[int]) -> str:
    head = ", ".join(map(str, fits[:12]))
    return head if len(fits) <= 12 else f"{head} and {len(fits) - 12} more up to {fits[-1]}"
