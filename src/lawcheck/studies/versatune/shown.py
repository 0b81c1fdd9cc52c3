"""Which arms are the paper's methods, and which of its printed columns are a scale's domains."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

from lawcheck.declare.design import Arm, Discipline
from lawcheck.errors import InputError
from lawcheck.show.columns import filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row
from lawcheck.show.labels import part_label
from lawcheck.show.printed import lines
from lawcheck.show.summary import Measure

# The paper's name of a strategy -> start and update of its mixture.
FOSTERING = {
    "Uniform Distribution": ("uniform", "none"),
    "Inverse Distribution": ("inverse", "none"),
    "VersaTune Constant": ("knowledge", "none"),
    "VersaTune": ("knowledge", "potential"),
}
SPECIFIC, INCREASE = "Specific domain alone", "Domain increase"
EXPANSION, UNCONDITIONAL = "Domain expansion", "Without the threshold"
# Printed column -> the discipline that it is here, and its title where no scale has it.
PRINTED_DOMAINS = {
    "law": ("law", "Law"),
    "medical": ("medicine", "Medical"),
    "finance": ("finance", "Finance"),
    "science": ("science", "Science"),
    "code": ("code", "Code"),
    "general": ("general", "General"),
}
AVERAGE = "all_domains"
SCALE = "published, 7B to 14B, one run"


def method_of(arm: Arm) -> str | None:
    """What the paper calls an arm's strategy; None of what it does not have."""
    mixture = arm.mixture
    if mixture is None or mixture.knowledge_of is not None:
        return None
    if mixture.update == "expansion":
        return EXPANSION if mixture.guard else UNCONDITIONAL
    if mixture.start == "given" and mixture.update == "none":
        return SPECIFIC if len(mixture.given) == 1 else INCREASE
    if mixture != dataclasses.replace(type(mixture)(), start=mixture.start, update=mixture.update):
        return None
    key = (mixture.start, mixture.update)
    return next((name for name, fields in FOSTERING.items() if fields == key), None)


def target_of(arm: Arm) -> str | None:
    """The domain that an arm expands: that of its rule, or the largest of its given shares."""
    mixture = arm.mixture
    if mixture is None:
        return None
    if mixture.target is not None or not mixture.given:
        return mixture.target
    return max(mixture.given, key=lambda pair: pair[1])[0]


def bases_of(context: RenderContext, arms: Iterable[Arm]) -> dict[str, str]:
    """Base -> title, in the order of the arms."""
    titles = {a.base: context.families.get(a.base, part_label(a.base)) for a in arms}
    shared = len(set(titles.values())) < len(titles)
    return {b: f"{t} ({part_label(b)})" if shared else t for b, t in titles.items()}


def methods(context: RenderContext, wanted: Sequence[str], by: str) -> dict[str, dict[str, Arm]]:
    """Base -> method -> arm, of the methods that are wanted. Raises InputError where none is."""
    found: dict[str, dict[str, Arm]] = {}
    for arm in context.law.arms:
        name = method_of(arm)
        if name is not None and name in wanted:
            found.setdefault(arm.base, {})[name] = arm
    if not found:
        raise InputError(
            f"{by}: law {context.law.name!r} declares no arm of {', '.join(wanted)}; declare one, "
            f"or leave {by} out of its list"
        )
    return {b: {n: own[n] for n in wanted if n in own} for b, own in found.items()}


def untrained(context: RenderContext, base: str) -> Arm | None:
    """The law's arm that is a base as it was."""
    return next((a for a in context.law.arms if not a.has_weights and a.base == base), None)


def domains(context: RenderContext) -> tuple[Discipline, ...]:
    return (*context.science, *context.of_role("general"))


def percent(measure: Measure | None) -> Measure | None:
    """An accuracy in percent, as the paper prints it."""
    if measure is None:
        return None
    return dataclasses.replace(
        measure,
        value=100 * measure.value,
        low=None if measure.low is None else 100 * measure.low,
        high=None if measure.high is None else 100 * measure.high,
    )


def domain_columns(context: RenderContext) -> tuple[Column, ...]:
    """The scale's domains, those of the paper that it lacks, and the mean over the former."""
    own = {d.name: d.short or d.title for d in domains(context)}
    theirs = {name: title for name, title in PRINTED_DOMAINS.values() if name not in own}
    column = functools.partial(Column, unit="percent", decimals=2)
    return (
        *(column(key=name, header=title) for name, title in (own | theirs).items()),
        column(key=AVERAGE, header="Avg", of=tuple(own)),
    )


def comparison(
    context: RenderContext, by: str, columns: Sequence[Column], wanted: Sequence[str], table: str
) -> Grid:
    """A block a base of what was measured here, then the printed rows of a table, by model."""
    found = methods(context, wanted, by)
    titles = bases_of(context, (a for own in found.values() for a in own.values()))
    measures = {c.key: functools.partial(_accuracy, context, c) for c in columns}
    rows: list[Row] = []
    arms: list[Arm] = []
    for base, own in found.items():
        first = untrained(context, base)
        shown = ({"Before tuning": first} if first is not None else {}) | own
        arms += shown.values()
        rows += [
            row(context, columns, arm, name, titles[base], measures=measures)
            for name, arm in shown.items()
        ]
    context.summary.require(arms, by)
    return filled(context, columns, [*rows, *printed_rows(table, columns, wanted)], (), SCALE)


def _accuracy(context: RenderContext, column: Column, arm: Arm) -> Measure | None:
    return percent(context.summary.accuracy(arm, column.target))


def printed_rows(table: str, columns: Sequence[Column], wanted: Sequence[str]) -> list[Row]:
    """The rows of a printed table in the columns of ours, a block a model."""
    names = {key: printed for printed, (key, _) in PRINTED_DOMAINS.items()} | {AVERAGE: "avg"}
    return [
        Row(
            label=line["method"],
            arm="",
            block=f"{line['model']}, published",
            cells=tuple(Cell(published=_cell(line, names, c.key)) for c in columns),
            best=False,
            printed=True,
        )
        for line in lines(table)
        if line["method"] in wanted
    ]


def _cell(line: Mapping[str, str], names: Mapping[str, str], key: str) -> str | None:
    return line.get(names.get(key, key)) or None
