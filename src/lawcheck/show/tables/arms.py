"""Every arm of a law: the table that any law gets, a stranger's included."""

from __future__ import annotations

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
COMPANIONS = {"general": "Instr.", "out_of_domain": "OOD"}


def build(context: RenderContext) -> Grid:
    context.summary.require(context.arms, f"{TABLE.name}_{context.law.name}")
    companions = [
        Column(key=role, header=header, unit="accuracy")
        for role, header in COMPANIONS.items()
        if context.of_role(role)
    ]
    columns = (*accuracy_columns(context), *companions)
    labels = arm_labels(context.law, context.families)
    rows = tuple(row(context, columns, arm, labels[arm.name]) for arm in context.arms)
    return filled(context, columns, rows)
