"""Cells that should agree between tables, headings that may be exchanged, ambiguous labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from lawcheck.show.audit.declared import Finding, Row, Tables, TableSpec, specs
from lawcheck.show.audit.schema import (
    Cell,
    Configuration,
    cells,
    named,
    number,
    present,
    rows,
)

Key = tuple[str, Configuration, str]


def check(tables: Tables) -> list[Finding]:
    return [
        *disagreements(tables),
        *exchanged_headings(tables),
        *readings(tables),
        *repeated_configurations(tables),
    ]


def _by_key(found: Iterable[Cell]) -> dict[Key, list[Cell]]:
    groups: dict[Key, list[Cell]] = defaultdict(list)
    for cell in found:
        groups[cell.spec.paper, cell.configuration, cell.quantity].append(cell)
    return groups


def _agree(a: Cell, b: Cell) -> bool:
    """Whether one value may be printed as both; tables may use different numbers of digits."""
    if a.printed.half == b.printed.half:
        return a.printed.value == b.printed.value
    return a.printed.fits(b.printed.low, b.printed.high)


def disagreements(tables: Tables) -> list[Finding]:
    """One finding for each pair of rows that name the same run and differ."""
    pairs: dict[tuple[str, str, int, str, int, str], list[tuple[Cell, Cell]]] = defaultdict(list)
    compared: dict[tuple[str, int, str, int], int] = defaultdict(int)
    for (paper, configuration, _), same in _by_key(cells(tables)).items():
        for a, b in combinations(same, 2):
            if a.spec is b.spec and a.line == b.line:
                continue
            place = (a.spec.where, a.line, b.spec.where, b.line)
            compared[place] += 1
            if not _agree(a, b):
                pairs[paper, *place, named(configuration)].append((a, b))
    found = []
    for (paper, where, line, other, second, what), different in pairs.items():
        total = compared[where, line, other, second]
        columns = ", ".join(a.column for a, _ in different)
        found.append(
            Finding(
                paper=paper,
                where=f"{where}, row {line} and {other}, row {second}",
                kind="disagreement",
                printed=", ".join(a.printed.text for a, _ in different),
                recomputed=", ".join(b.printed.text for _, b in different),
                note=(
                    f"both rows are {what}; {len(different)} of {total} shared cells differ "
                    f"({columns})"
                ),
                severity="warning",
                confidence="medium",
            )
        )
    return found


@dataclass(frozen=True)
class _Vote:
    """One row of a table against another table, for two headed groups."""

    groups: tuple[str, str, str]
    other: str
    text: str
    crossed: bool


def exchanged_headings(tables: Tables) -> list[Finding]:
    """Two column groups whose contents fit another table only when their headings are exchanged."""
    votes: dict[tuple[str, str, str], list[_Vote]] = defaultdict(list)
    for vote in _votes(tables):
        votes[vote.groups].append(vote)
    found = []
    suspect: set[tuple[str, str, str]] = set()
    # The table with most evidence is the one to suspect; what rests on it alone then falls.
    for key in sorted(votes, key=lambda k: (-sum(v.crossed for v in votes[k]), k)):
        name, first, second = key
        kept = [v for v in votes[key] if (v.other, first, second) not in suspect]
        crossed = [v.text for v in kept if v.crossed]
        straight = len(kept) - len(crossed)
        if straight >= len(crossed):
            continue
        suspect.add(key)
        spec = next(s for s in specs() if s.name == name)
        found.append(
            Finding(
                paper=spec.paper,
                where=f"{spec.where}, columns {first} and {second}",
                kind="exchanged_headings",
                printed=f"{first}, {second}",
                recomputed=f"{second}, {first}",
                note=(
                    f"the groups' means fit the other table only with the headings exchanged: "
                    f"{'; '.join(crossed)}; {straight} rows fit as printed"
                ),
                severity="warning",
                confidence="medium",
            )
        )
    return found


def _votes(tables: Tables) -> Iterator[_Vote]:
    """Rows whose two group means fit another table's, straight or crossed but not both."""
    means = [
        (spec, line, frozenset(settings.items()), _group_means(spec, row))
        for spec, frame in present(tables)
        for line, row in enumerate(rows(frame), 1)
        if (settings := spec.configure(row)) is not None
    ]
    for spec, line, run, own in means:
        for first, second in combinations(spec.groups, 2):
            for other, _, their_run, theirs in means:
                if other is spec or other.paper != spec.paper or run != their_run:
                    continue
                if not {first, second} <= own.keys() & theirs.keys():
                    continue
                straight = _fits(own[first], theirs[first]) and _fits(own[second], theirs[second])
                crossed = _fits(own[first], theirs[second]) and _fits(own[second], theirs[first])
                if straight != crossed:
                    yield _Vote(
                        groups=(spec.name, first, second),
                        other=other.name,
                        text=f"row {line} against {other.where}",
                        crossed=crossed,
                    )


# Means of the same run in two tables may differ by a slip in a last digit.
CLOSE = 0.0015


def _group_means(spec: TableSpec, row: Row) -> dict[str, float]:
    """Mean of each headed group; a table that prints the mean itself offers that."""
    found = {}
    for group, columns in spec.groups.items():
        values = [p.value for c in columns if (p := number(row[c])) is not None]
        if values:
            found[group] = sum(values) / len(values)
    for other in specs():
        for group in other.groups:
            if group in spec.values and (p := number(row[group])) is not None:
                found[group] = p.value
    return found


def _fits(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE


def readings(tables: Tables) -> list[Finding]:
    """What each declared reading of a label implies for the other tables."""
    found = []
    for spec, _ in present(tables):
        for words, read in spec.readings.items():
            counts = []
            for reading in (spec.configure, read):
                counts.append(_tally(cells(tables, {spec.name: reading}), spec))
            (a0, d0, l0), (a1, d1, l1) = counts[0], counts[1]
            if (d0, l0) == (0, 0):
                # As printed, every cell agrees with another table: nothing is ambiguous.
                continue
            if (a0, d0) == (a1, d1):
                continue
            found.append(
                Finding(
                    paper=spec.paper,
                    where=spec.where,
                    kind="ambiguous_label",
                    printed=f"as labelled: {a0} cells agree with other tables, {d0} differ, "
                    f"{l0} have no counterpart",
                    recomputed=f"otherwise: {a1} agree, {d1} differ, {l1} have no counterpart",
                    note=f"other reading: {words}",
                    severity="note" if d0 == 0 else "warning",
                    confidence="low",
                )
            )
    return found


def _tally(found: list[Cell], spec: TableSpec) -> tuple[int, int, int]:
    agree = differ = lonely = 0
    for same in _by_key(found).values():
        own = [c for c in same if c.spec is spec]
        others = [c for c in same if c.spec is not spec]
        for cell in own:
            if not others:
                # A quantity that only this table measures can have no counterpart.
                lonely += any(c.quantity == cell.quantity and c.spec is not spec for c in found)
            elif all(_agree(cell, o) for o in others):
                agree += 1
            else:
                differ += 1
    return agree, differ, lonely


def repeated_configurations(tables: Tables) -> list[Finding]:
    """Rows of one table that name the same run, under each reading of its labels."""
    found = []
    for spec, frame in present(tables):
        for words, read in {"as labelled": spec.configure, **spec.readings}.items():
            seen: dict[Configuration, list[int]] = defaultdict(list)
            for line, row in enumerate(rows(frame), 1):
                settings = read(row)
                if settings is not None:
                    seen[frozenset(settings.items())].append(line)
            twice = {k: v for k, v in seen.items() if len(v) > 1 and not _identical(frame, v, spec)}
            if not twice:
                continue
            lines = ", ".join(str(n) for v in twice.values() for n in v)
            found.append(
                Finding(
                    paper=spec.paper,
                    where=f"{spec.where}, rows {lines}",
                    kind="repeated_configuration",
                    printed=f"{len(twice)} runs stand in several rows with different values",
                    recomputed="one row a run",
                    note=f"reading: {words}; first: {named(next(iter(twice)))}",
                    severity="note" if words != "as labelled" else "warning",
                    confidence="low" if words != "as labelled" else "medium",
                )
            )
    return found


def _identical(frame: pd.DataFrame, lines: list[int], spec: TableSpec) -> bool:
    chosen = frame.iloc[[n - 1 for n in lines]][list(spec.values)]
    return len(chosen.drop_duplicates()) == 1
