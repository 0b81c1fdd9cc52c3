"""Columns that several tables share, and the cells that fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lawcheck.design import Arm
from lawcheck.errors import InputError
from lawcheck.published import published_text
from lawcheck.render.context import RenderContext
from lawcheck.render.grid import Cell, Column, Row
from lawcheck.render.summary import Measure

SHORT = {
    "chemistry": "Chem",
    "medicine": "Med",
    "biology": "Bio",
    "math": "Math",
    "geography": "Geo",
}
PLANNED = "planned at paper scale"
INTERVALS = (
    "Mean \u00b1 half width of the 95 % interval (seeds and items crossed; items only where a "
    "single seed was run). Bold: highest mean of a block, whatever the intervals. \u2014: not "
    "measured."
)


def accuracy_columns(context: RenderContext) -> tuple[Column, ...]:
    """One column a discipline in table order, then their equally weighted mean."""
    columns = [
        Column(key=d.name, header=SHORT.get(d.name, d.title), unit="accuracy")
        for d in context.science
    ]
    return (*columns, Column(key="average", header="Avg", unit="accuracy"))


def fixed(value: float | None, interval: str) -> Measure | None:
    """A number that no seed or item varies."""
    if value is None:
        return None
    return Measure(
        value=value, low=None, high=None, interval=interval, n_seeds=0, n_items=0, n_unscored=0
    )


def row(
    context: RenderContext,
    columns: Sequence[Column],
    arm: Arm,
    label: str,
    block: str = "",
    published_table: str | None = None,
    measures: Mapping[str, Callable[[Arm], Measure | None]] | None = None,
) -> Row:
    """Fill one arm's row. measures: column key -> how to measure it; default its accuracy."""
    cells = []
    for column in columns:
        how = (measures or {}).get(column.key)
        found = how(arm) if how else context.summary.accuracy(arm, column.key)
        text = published_text(published_table, arm, column.key) if published_table else None
        cells.append(Cell(measure=found, published=text))
    return Row(label=label, arm=arm.name, cells=tuple(cells), block=block)


def notes(context: RenderContext, rows: Sequence[Row]) -> tuple[str, ...]:
    """What a reader must know about these rows: unscored items and diverged runs."""
    found = []
    unscored = max(
        (c.measure.n_unscored for r in rows for c in r.cells if c.measure is not None), default=0
    )
    if unscored:
        found.append(f"Up to {unscored} (seed, item) cells of a number are unscored and left out.")
    shown = {r.arm for r in rows}
    diverged = dict.fromkeys(shown, 0)
    for (arm, _), n in context.scores.diverged.items():
        if arm in shown:
            diverged[arm] += n
    labels = {r.arm: r.label for r in rows}
    lost = [f"{labels[a]} {n}" for a, n in sorted(diverged.items()) if n]
    if lost:
        found.append(f"Diverged runs, not in the means: {', '.join(lost)}.")
    return tuple(found)


def one(context: RenderContext, wanted_by: str, **wanted: object) -> Arm:
    """The law's only arm with these attributes, recipe fields or design choices.

    Raises InputError where none or several fit.
    """
    fits = [a for a in context.law.arms if all(_value(a, k) == v for k, v in wanted.items())]
    if len(fits) != 1:
        asked = ", ".join(f"{k}={v}" for k, v in wanted.items())
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares {len(fits)} arms with {asked}, "
            f"expected 1; declare it in the law, or leave the table out of its list"
        )
    return fits[0]


def _value(arm: Arm, key: str) -> object:
    if key in arm.choices:
        return arm.choices[key]
    if arm.recipe is not None and hasattr(arm.recipe, key):
        return getattr(arm.recipe, key)
    return getattr(arm, key, None)
