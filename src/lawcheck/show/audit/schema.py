"""The cells of printed tables, with the values they may stand for and what was run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from lawcheck.errors import InputError
from lawcheck.show.audit.declared import Row, Tables, TableSpec, audits, specs

Configuration = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Printed:
    """A printed number and the values it may stand for after rounding."""

    text: str

    @property
    def value(self) -> float:
        return float(self.text)

    @property
    def half(self) -> float:
        """Half a unit of the last printed digit."""
        _, _, decimals = self.text.partition(".")
        return 0.5 * 10.0 ** -len(decimals)

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half

    def fits(self, low: float, high: float) -> bool:
        """Whether some value in [low, high] may be printed like this."""
        slack = 1e-9 * max(1.0, abs(self.value))
        return low <= self.high + slack and high >= self.low - slack


def number(text: str) -> Printed | None:
    """A cell as a number; None for an empty cell, a dash or words."""
    try:
        return Printed(text) if math.isfinite(float(text)) else None
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class Cell:
    spec: TableSpec
    line: int
    column: str
    printed: Printed
    configuration: Configuration

    @property
    def quantity(self) -> str:
        return self.spec.quantities.get(self.column, self.column)

    @property
    def place(self) -> str:
        return f"{self.spec.where}, row {self.line}, {self.column}"

    @property
    def share(self) -> float:
        """The value as a share of 1."""
        return self.printed.value / self.spec.unit


def present(tables: Tables) -> Iterator[tuple[TableSpec, pd.DataFrame]]:
    for spec in specs():
        if spec.name in tables:
            frame = tables[spec.name]
            lost = [c for c in (*spec.keys, *spec.values) if c not in frame.columns]
            if lost:
                raise InputError(
                    f"published table {spec.name!r}: column {lost[0]!r} is missing; give it in "
                    f"the form of lawcheck.show.printed"
                )
            yield spec, frame


def rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    return frame.to_dict("records")


Reading = Callable[[Row], dict[str, str] | None]


def cells(tables: Tables, readings: Mapping[str, Reading] | None = None) -> list[Cell]:
    """Every measured cell with what was run. readings: table -> another reading of its labels."""
    found = []
    for spec, frame in present(tables):
        read = (readings or {}).get(spec.name, spec.configure)
        for line, row in enumerate(rows(frame), 1):
            settings = read(row)
            if settings is None:
                continue
            configuration = frozenset(settings.items())
            for column in spec.values:
                printed = number(row[column])
                if printed is not None:
                    found.append(
                        Cell(
                            spec=spec,
                            line=line,
                            column=column,
                            printed=printed,
                            configuration=configuration,
                        )
                    )
    return found


def stated_sizes(tables: Tables) -> Iterator[tuple[str, str, Row]]:
    """(paper, column, row) of every row that states how many items are behind a column."""
    for paper, declared in audits().items():
        if declared.sizes is not None and declared.sizes[0] in tables:
            table, column = declared.sizes
            for row in rows(tables[table]):
                yield paper, row[column], row


def named(configuration: Configuration) -> str:
    order = ("method", "model", "tasks", "size", "data", "upsample", "general")
    place = {k: i for i, k in enumerate(order)}
    pairs = sorted(configuration, key=lambda kv: (place.get(kv[0], len(order)), kv[0]))
    return ", ".join(v if k in ("method", "model") else f"{k} {v}" for k, v in pairs)
