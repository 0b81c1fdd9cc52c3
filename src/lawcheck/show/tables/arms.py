"""Every arm of a law: the table that any law gets, a stranger's included."""

from __future__ import annotations

from lawcheck.declare.design import AVERAGE, Law
from lawcheck.show.columns import INTERVALS, accuracy_columns, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.labels import arm_labels

TABLE = Table(
    name="arms",
    title="Every arm of the law",
    caption="Accuracy of every arm. " + INTERVALS,
    per_law=True,
)
JUDGED = "judged"
COMPANIONS = {"general": "Instr.", "out_of_domain": "OOD"}


def build(context: RenderContext) -> Grid:
    context.summary.require(context.arms, f"{TABLE.name}_{context.law.name}")
    companions = [
        Column(key=role, header=header, unit="accuracy")
        for role, header in COMPANIONS.items()
        if context.of_role(role)
    ]
    columns = [*accuracy_columns(context), *companions]
    target = _several(context.law)
    if target:
        columns = [c for c in columns if c.key != AVERAGE and _seen(context, c.key)]
        columns.append(Column(key=JUDGED, header="Judged mean", unit="accuracy", best=False))
    measures = {JUDGED: lambda arm: context.summary.accuracy(arm, target)}
    labels = arm_labels(context.law, context.families)
    rows = tuple(
        row(context, columns, arm, labels[arm.name], measures=measures) for arm in context.arms
    )
    return filled(context, columns, rows)


def _several(law: Law) -> tuple[str, ...]:
    """The disciplines whose mean a law is judged on, where it names several; else none."""
    targets = (getattr(h.estimand, "target", "") for h in law.hypotheses)
    return next((t for t in targets if isinstance(t, tuple)), ())


def _seen(context: RenderContext, key: str) -> bool:
    """Whether any arm has scores; a law that names what it is judged on asks for nothing else."""
    return any(context.summary.accuracy(a, key) is not None for a in context.arms)
