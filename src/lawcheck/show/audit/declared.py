"""What a study declares for the audit: the columns of its printed tables, and its claims in words.

Structure only, no expected finding: a check reads these declarations and the cells, and never knows
an answer beforehand. A claim names two selections of runs; the runs are paired by every factor that
neither selection names. Coding is a reading of prose: `words` says how each sentence was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from lawcheck.declare import discovery
from lawcheck.errors import InputError

Severity = Literal["error", "warning", "note"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Finding:
    """where: table, row and column. printed, recomputed: as text, with their digits.

    severity: `error` = the printed numbers contradict each other; `warning` = a reader may be
    misled; `note` = an ambiguity or a count. confidence: that it is not an artefact of layout,
    rounding or an unstated convention.
    """

    paper: str
    where: str
    kind: str
    printed: str
    recomputed: str
    note: str
    severity: Severity = "warning"
    confidence: Confidence = "high"


Tables = Mapping[str, pd.DataFrame]
Row = Mapping[str, str]
Check = Callable[[Tables], list[Finding]]
Pattern = Mapping[str, tuple[str, ...]]
Says = Literal["greater", "less", "no_gain", "equal"]


def equal(*columns: str) -> dict[str, float]:
    return dict.fromkeys(columns, 1.0)


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """One table.

    configure: row -> what was run, as factor levels; None where the row names no experiment.
    values: columns that measure. means: column -> weights of the columns it averages.
    arrows: the `method` that arrows compare with. block: column whose rows belong together.
    groups: column families that carry one heading. readings: other ways to read a label.
    quantities: columns that other tables call otherwise. unit: 1 for shares, 100 for percent.
    """

    name: str
    paper: str
    where: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    configure: Callable[[Row], dict[str, str] | None]
    means: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    arrows: str | None = None
    block: str | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readings: Mapping[str, Callable[[Row], dict[str, str] | None]] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)
    unit: float = 1.0

    @property
    def measured(self) -> tuple[str, ...]:
        """Value columns that are not averages of others."""
        return tuple(c for c in self.values if c not in self.means)


@dataclass(frozen=True, kw_only=True)
class Stated:
    """Something that a paper says, and where."""

    name: str
    paper: str
    source: str
    words: str

    @property
    def where(self) -> str:
        return f"{self.source}, {self.name}"


@dataclass(frozen=True, kw_only=True)
class Claim(Stated):
    """quantities: averaged with equal weight. margin: of `no_gain` and `equal`, a share of 1.

    peak: compare only the best run of each method.
    """

    says: Says
    treatment: Pattern
    control: Pattern
    quantities: tuple[str, ...] = ("avg",)
    margin: float = 0.0
    peak: bool = False


@dataclass(frozen=True, kw_only=True)
class BoundClaim(Stated):
    """Every chosen cell lies above or below a level (shares of 1)."""

    runs: Pattern
    quantities: tuple[str, ...]
    side: Literal["above", "below"]
    level: float


@dataclass(frozen=True, kw_only=True)
class SpreadClaim(Stated):
    """The scatter of some quantities over a factorial exceeds that of others."""

    rough: tuple[str, ...]
    smooth: tuple[str, ...]
    runs: Pattern
    factors: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class NumberClaim(Stated):
    """A number in the prose about two cells. unit: `points`, `percent_of` or `percent_less`.

    first, second: (table, row by key columns, column).
    """

    stated: str
    meant: Literal["percent_of", "percent_change"]
    first: tuple[str, Mapping[str, str], str]
    second: tuple[str, Mapping[str, str], str]


@dataclass(frozen=True, kw_only=True)
class RunProxy:
    """A factorial of single runs whose scatter about row and column effects stands for noise.

    It holds real interactions too, so it is an upper bound of run-to-run noise.
    """

    paper: str
    words: str
    runs: Pattern
    factors: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """AUDIT of the module `audit` of a study; every table, claim and proxy names that study.

    components: quantity -> weights of the columns in it that are scored item by item. sizes: table
    with the number of items (`n_items`) behind each column of the others, and its column that
    names those; rows with `subtasks` are means of means. arithmetic, further: checks of what only
    these tables print.
    """

    specs: tuple[TableSpec, ...]
    claims: tuple[Claim, ...] = ()
    bounds: tuple[BoundClaim, ...] = ()
    spreads: tuple[SpreadClaim, ...] = ()
    numbers: tuple[NumberClaim, ...] = ()
    proxies: tuple[RunProxy, ...] = ()
    components: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sizes: tuple[str, str] | None = None
    arithmetic: tuple[Check, ...] = ()
    further: tuple[Check, ...] = ()


def audits() -> dict[str, Audit]:
    """Study -> what it declares, for the studies that declare something."""
    found = {}
    for study in discovery.studies().values():
        module = discovery.study_part(study, "audit")
        if module is None:
            continue
        declared = getattr(module, "AUDIT", None)
        if not isinstance(declared, Audit):
            raise InputError(
                f"{module.__file__}: AUDIT is {type(declared).__name__}, expected Audit; correct it"
            )
        found[study.name] = declared
    return found


def specs() -> tuple[TableSpec, ...]:
    return tuple(s for a in audits().values() for s in a.specs)


def claims() -> tuple[Claim, ...]:
    return tuple(c for a in audits().values() for c in a.claims)
