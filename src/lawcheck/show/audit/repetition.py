"""Rows, blocks, columns and neighbouring cells that repeat where they should not."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, pairwise

import pandas as pd

from lawcheck.show.audit.declared import Finding, Tables, TableSpec
from lawcheck.show.audit.schema import number, present, rows

# Values at a bound repeat of themselves.
FLOOR, CEILING = 0.02, 0.98
LEAST = 2


def check(tables: Tables) -> list[Finding]:
    return [*repeated_rows(tables), *coincidences(tables), *neighbours(tables)]


def _values(row: dict[str, str], columns: tuple[str, ...]) -> tuple:
    return tuple(p.value if (p := number(row[c])) is not None else None for c in columns)


def _telling(values: tuple, unit: float) -> int:
    """Distinct values away from the bounds."""
    return len({v for v in values if v is not None and FLOOR < v / unit < CEILING})


def repeated_rows(tables: Tables) -> list[Finding]:
    """Rows that name different runs and hold equal values; neighbours are told as one block."""
    found = []
    for spec, frame in present(tables):
        lines = rows(frame)
        twins: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for (i, a), (j, b) in combinations(enumerate(lines, 1), 2):
            if spec.configure(a) == spec.configure(b):
                continue
            first, second = (_values(r, spec.measured) for r in (a, b))
            if first == second and _telling(first, spec.unit) >= LEAST:
                twins[j - i].append((i, j))
        for pairs in twins.values():
            for block in _runs(pairs):
                (i, j), (last, end) = block[0], block[-1]
                names = [_label(spec, lines[k - 1]) for k in (i, last, j, end)]
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, rows {_span(i, last)} and {_span(j, end)}",
                        kind="repeated_rows",
                        printed=f"{names[0]} to {names[1]}" if i != last else names[0],
                        recomputed=f"{names[2]} to {names[3]}" if j != end else names[2],
                        note=(
                            f"{len(block)} rows of {len(spec.measured)} cells are equal, though "
                            f"they are labelled as different experiments"
                        ),
                        severity="warning",
                        confidence="high" if len(block) > 1 else "medium",
                    )
                )
    return found


def _runs(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    blocks: list[list[tuple[int, int]]] = []
    for pair in sorted(pairs):
        if blocks and pair[0] == blocks[-1][-1][0] + 1:
            blocks[-1].append(pair)
        else:
            blocks.append([pair])
    return blocks


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _label(spec: TableSpec, row: dict[str, str]) -> str:
    return " ".join(row[k] for k in spec.keys if row[k] not in ("", "\u2014"))


def coincidences(tables: Tables) -> list[Finding]:
    """A column's values in one block of rows that are another quantity's or another model's."""
    vectors: dict[tuple[str, tuple], list[tuple[TableSpec, str, str, int]]] = defaultdict(list)
    for spec, frame in present(tables):
        if spec.block is None:
            continue
        for block, chosen in frame.groupby(spec.block, sort=False):
            for column in spec.measured:
                values = tuple(p.value for t in chosen[column] if (p := number(t)) is not None)
                if len(values) >= 3 and _telling(values, spec.unit) == len(values):
                    place = (spec, str(block), column, int(chosen.index[0]) + 1)
                    vectors[spec.paper, values].append(place)
    found = []
    for (paper, values), places in vectors.items():
        for a, b in combinations(places, 2):
            if a[1:3] == b[1:3]:
                continue
            found.append(
                Finding(
                    paper=paper,
                    where=(f"{a[0].where}, {a[1]}, {a[2]} and {b[0].where}, {b[1]}, {b[2]}"),
                    kind="coincidence",
                    printed=", ".join(f"{v:g}" for v in values),
                    recomputed="different measurements",
                    note=(
                        f"{len(values)} values in a row are equal in two unrelated columns; with "
                        f"{_digits(tables, a[0])} printed steps each, chance does not do that"
                    ),
                    severity="error",
                    confidence="high",
                )
            )
    found += _row_coincidences(tables)
    return found


def _digits(tables: Tables, spec: TableSpec) -> str:
    longest = max(len(t.partition(".")[2]) for c in spec.measured for t in tables[spec.name][c])
    return f"{spec.unit * 10**longest:,.0f}"


def _row_coincidences(tables: Tables) -> list[Finding]:
    """Rows of different runs that share all but one of at least five values."""
    found = []
    entries: dict[str, list[tuple[TableSpec, int, dict[str, float], object]]] = defaultdict(list)
    for spec, frame in present(tables):
        for line, row in enumerate(rows(frame), 1):
            values = {c: p.value for c in spec.measured if (p := number(row[c])) is not None}
            values = {c: v for c, v in values.items() if FLOOR < v / spec.unit < CEILING}
            entries[spec.paper].append((spec, line, values, spec.configure(row)))
    for paper, lines in entries.items():
        for a, b in combinations(lines, 2):
            shared = a[2].keys() & b[2].keys()
            equal = [c for c in shared if a[2][c] == b[2][c]]
            if a[3] == b[3] or len(shared) < 5 or not len(shared) - 1 <= len(equal) < len(shared):
                continue
            odd = next(c for c in shared if c not in equal)
            found.append(
                Finding(
                    paper=paper,
                    where=f"{a[0].where}, row {a[1]} and {b[0].where}, row {b[1]}",
                    kind="coincidence",
                    printed=", ".join(f"{c} {a[2][c]:g}" for c in sorted(equal)),
                    recomputed="different experiments",
                    note=(
                        f"{len(equal)} of {len(shared)} values are equal; {odd} is {a[2][odd]:g} "
                        f"and {b[2][odd]:g}"
                    ),
                    severity="warning",
                    confidence="medium",
                )
            )
    return found


def neighbours(tables: Tables) -> list[Finding]:
    """Equal values in neighbouring cells of a row, away from the bounds; counted per table."""
    found = []
    for spec, frame in present(tables):
        pairs, hits = 0, []
        for line, row in enumerate(rows(frame), 1):
            for a, b in pairwise(spec.measured):
                first, second = number(row[a]), number(row[b])
                if first is None or second is None:
                    continue
                if not FLOOR < first.value / spec.unit < CEILING:
                    continue
                pairs += 1
                if first.value == second.value:
                    hits.append(f"row {line} {a} and {b} {first.text}")
        if not hits:
            continue
        step = 2 * min(p.half for p in _printed(spec, frame))
        expected = pairs * step / (spec.unit * (CEILING - FLOOR))
        found.append(
            Finding(
                paper=spec.paper,
                where=f"{spec.where}, {hits[0].split(' and ')[0]}"
                if len(hits) == 1
                else spec.where,
                kind="equal_neighbours",
                printed="; ".join(hits),
                recomputed=f"about {expected:.1f} expected by chance among {pairs} pairs",
                note="a value may have been copied into the neighbouring cell",
                severity="note",
                confidence="low",
            )
        )
    return found


def _printed(spec: TableSpec, frame: pd.DataFrame) -> list:
    cells = [number(t) for c in spec.measured for t in frame[c]]
    return [p for p in cells if p is not None and p.value % 1]
