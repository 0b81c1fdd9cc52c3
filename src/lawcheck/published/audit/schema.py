"""What the columns of the published tables mean: structure only, no expected finding.

A check reads these declarations and the cells; it never knows an answer beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lawcheck.errors import InputError

Tables = Mapping[str, pd.DataFrame]
Row = Mapping[str, str]
Configuration = frozenset[tuple[str, str]]

SCIENCE = ("chem", "med", "bio", "math", "geo")
DOMAINS = ("law", "medical", "finance", "science", "code", "general")
BENCHMARKS = {
    "law": ("legalbench", "lawbench"),
    "medical": ("medqa", "medmcqa"),
    "finance": ("fineval", "financeiq"),
    "science": ("scieval", "mmlu-sci"),
    "code": ("humaneval", "mbpp"),
    "general": ("agieval", "hellaswag"),
}
MED, LEGAL, FIN = (
    ("med_ie", "med_mc", "med_tg", "med_qa"),
    ("legal_ie", "legal_mc", "legal_ji", "legal_jw"),
    ("fin_re", "fin_sa", "fin_ha", "fin_cm"),
)
SIX = ("med_ie", "med_mc", "legal_ie", "legal_mc", "fin_re", "fin_sa")


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


PLAIN = {
    "data": "100",
    "upsample": "none",
    "general": "0",
    "rank": "16",
    "experts": "5",
    "design": "plain",
}


def _main(row: Row, **changes: str) -> dict[str, str]:
    """A run of the main paper. Factors that a method does not have are left out."""
    method = row["method"]
    found = {"method": method, **PLAIN, "data": row.get("data_pct", "100"), **changes}
    if method != "LoRA-MoE":
        del found["design"]
    if method not in ("LoRA-MoE", "LoRA-Comp"):
        del found["experts"]
    if method == "FT":
        del found["rank"]
    return found


def _base() -> dict[str, str]:
    return {"method": "base"}


def table_2(row: Row) -> dict[str, str]:
    if row["method"].lower().startswith("qwen"):
        return _base()
    if row["method"].startswith("Dis"):
        return _main({"method": "Discipline LoRA"})
    return _main(row, general=row["if_pct_as_printed"])


def table_2_joint(row: Row) -> dict[str, str]:
    """The other reading: a level above 0 is the share of all data, general data fully mixed in."""
    share = row["if_pct_as_printed"]
    if share in ("-", "0"):
        return table_2(row)
    return _main(row, data=share, general="100")


def table_3(row: Row) -> dict[str, str]:
    if row["method"].lower().startswith("qwen"):
        return _base()
    if row["variant"] != "tuned":
        return _main(row)
    design = {"design": "shared A"} if row["method"] == "LoRA-MoE" else {}
    return _main(row, upsample="100K diverse", general="100", **design)


def table_5(row: Row) -> dict[str, str]:
    size = row["upsample"]
    return _main(row, upsample="none" if size == "NA" else f"{size} {row['variant']}")


def table_5_labels(row: Row) -> dict[str, str]:
    """The other reading: a size label holds from its printed line to the next one."""
    return table_5({**row, "upsample": row["upsample_label_position_in_text"]})


def table_6(row: Row) -> dict[str, str]:
    return _main(row, general="100" if row["if_mix"] == "1" else "0")


def table_7(row: Row) -> dict[str, str]:
    kind, _, size = row["variant"].partition("=")
    return _main(row, **{"rank": size} if kind == "r" else {"experts": size})


def table_8(row: Row) -> dict[str, str]:
    return _main(row, design=row["variant"] or "plain")


def versatune(row: Row) -> dict[str, str]:
    return {"model": row["model"], "method": row["method"]}


def selector(row: Row) -> dict[str, str] | None:
    """A selector of the third paper's first two tables; other rows are other systems."""
    if row["embedding"] == "\u2014" or not row["selector"].isdigit():
        return {"system": row["selector"]}
    size, _, tasks = row["size"].partition("*")
    return _selector(tasks, size, row["embedding"], row["distance"])


def _selector(
    tasks: str, size: str = "500", embedding: str = "embed-layer", distance: str = "COS"
) -> dict[str, str]:
    return {
        "tasks": tasks,
        "size": size,
        "embedding": embedding,
        "distance": distance,
        "model": "Qwen2-7B",
    }


def selector_update(row: Row) -> dict[str, str]:
    """`origin` is the selector before the update; everything else is an update of its own."""
    operation, _, step = row["selector"].partition(" ")
    if step == "origin":
        return _selector("6" if row["med_tg"] == "\u2014" else "12")
    return {"operation": operation, "step": step, "ratio": row["ratio"]}


def selector_model(row: Row) -> dict[str, str]:
    return {**_selector("12"), "model": row["model"]}


def _science_table(
    number: int, name: str, configure: Callable[[Row], dict[str, str] | None], **more: Any
) -> TableSpec:
    return TableSpec(
        name=name,
        paper="discipline_laws",
        where=f"Table {number}",
        keys=("method", "variant", "data_pct", "upsample", "if_mix"),
        values=(*SCIENCE, "avg"),
        configure=configure,
        means={"avg": equal(*SCIENCE)},
        **more,
    )


def _versatune_table(where: str, name: str, columns: tuple[str, ...], **more: Any) -> TableSpec:
    return TableSpec(
        name=name,
        paper="versatune",
        where=where,
        keys=("model", "method"),
        values=columns,
        configure=versatune,
        block="model",
        unit=100.0,
        **{"arrows": "Uniform Distribution", **more},
    )


def _selector_table(
    number: int, keys: tuple[str, ...], values: tuple[str, ...], **more: Any
) -> TableSpec:
    return TableSpec(
        name=f"adapters_selector_t{number}",
        paper="adapters_selector",
        where=f"Table {number}",
        keys=keys,
        values=(*values, "acc"),
        **more,
    )


SPECS = (
    TableSpec(
        name="table2_if",
        paper="discipline_laws",
        where="Table 2",
        keys=("method", "if_pct_as_printed"),
        values=("science", "ifeval"),
        configure=table_2,
        quantities={"science": "avg"},
        readings={"IF (%) is the share of all data, with general data mixed in": table_2_joint},
    ),
    TableSpec(
        name="table3_final",
        paper="discipline_laws",
        where="Table 3",
        keys=("method", "variant"),
        values=(*SCIENCE, "avg", "mmlu"),
        configure=table_3,
        means={"avg": equal(*SCIENCE)},
    ),
    _science_table(4, "table4_scales", _main),
    _science_table(
        5,
        "table5_upsample",
        table_5,
        readings={"a size label holds from its printed line on": table_5_labels},
    ),
    _science_table(6, "table6_if_full", table_6),
    _science_table(7, "table7_params", table_7),
    _science_table(8, "table8_design", table_8),
    _versatune_table(
        "Table 1", "versatune_main", (*DOMAINS, "avg"), means={"avg": equal(*DOMAINS)}
    ),
    _versatune_table(
        "Table 4",
        "versatune_constant_ablation",
        (*DOMAINS, "avg"),
        means={"avg": equal(*DOMAINS)},
        arrows="VersaTune",
    ),
    *(
        _versatune_table(f"Table {number}", f"versatune_bench_{'_'.join(pair)}", pair)
        for number, pair in enumerate(BENCHMARKS.values(), 5)
    ),
    _selector_table(
        1,
        ("selector", "size", "embedding", "distance"),
        SIX,
        configure=selector,
        means={"acc": equal(*SIX)},
        groups={"legal": LEGAL[:2], "fin": FIN[:2]},
    ),
    _selector_table(
        2,
        ("selector", "size", "embedding", "distance"),
        (*MED, *LEGAL, *FIN),
        configure=selector,
        means={"acc": equal(*MED, *LEGAL, *FIN)},
        groups={"legal": LEGAL, "fin": FIN},
    ),
    _selector_table(
        3,
        ("selector", "ratio"),
        (*MED, *FIN, *LEGAL),
        configure=selector_update,
        means={"acc": equal(*MED, *LEGAL, *FIN)},
        groups={"legal": LEGAL, "fin": FIN},
    ),
    _selector_table(
        4,
        ("model",),
        (*MED, "legal", "fin"),
        configure=selector_model,
        means={"acc": {**equal(*MED), "legal": 4.0, "fin": 4.0}},
    ),
)


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
    for spec in SPECS:
        if spec.name in tables:
            frame = tables[spec.name]
            lost = [c for c in (*spec.keys, *spec.values) if c not in frame.columns]
            if lost:
                raise InputError(
                    f"published table {spec.name!r}: column {lost[0]!r} is missing; give it in "
                    f"the form of lawcheck.published.printed"
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


def named(configuration: Configuration) -> str:
    order = ("method", "model", "tasks", "size", "data", "upsample", "general")
    place = {k: i for i, k in enumerate(order)}
    pairs = sorted(configuration, key=lambda kv: (place.get(kv[0], len(order)), kv[0]))
    return ", ".join(v if k in ("method", "model") else f"{k} {v}" for k, v in pairs)
