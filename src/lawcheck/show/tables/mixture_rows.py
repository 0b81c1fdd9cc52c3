"""Rows that arms with moving shares were trained on: of any law with such arms."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from lawcheck.declare.design import Arm, Law
from lawcheck.judging.stats import paired_t
from lawcheck.scores import DIFFERENT, DRAWN
from lawcheck.show.columns import filled
from lawcheck.show.context import RenderContext
from lawcheck.show.domains import domains_of, mixed_arms
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.labels import arm_labels
from lawcheck.show.summary import SEEDS, Measure, measure


def _mixes(law: Law) -> bool:
    return bool(mixed_arms(law))


TABLE = Table(
    name="mixture_rows",
    title="Rows of every domain",
    caption=(
        "Distinct training rows by domain, and in brackets all rows, repeated ones included, over "
        "all phases of a run. Mean \u00b1 half width of the 95 % interval over seeds, where seeds "
        "differ. A share above what a domain holds repeats its rows: weight and repetition then "
        "change together. \u2014: not measured."
    ),
    per_law=True,
    only=_mixes,
)
ALL = "all"


def build(context: RenderContext) -> Grid:
    arms = mixed_arms(context.law)
    titles = domains_of(context, arms, DRAWN)
    column = functools.partial(Column, unit="rows", decimals=0, best=False)
    columns = [column(key=name, header=title) for name, title in titles.items()]
    columns.append(column(key=ALL, header="All"))
    labels = arm_labels(context.law, context.families)
    rows = [
        Row(
            label=labels[arm.name],
            arm=arm.name,
            cells=tuple(_cell(context, arm, c.key, list(titles)) for c in columns),
            scored=context.summary.scored(arm.name),
        )
        for arm in arms
    ]
    lost = sum(r.cells[-1].measure is None for r in rows)
    said = [f"No counted rows of {lost} of {len(rows)} arms; {context.how}."] if lost else []
    return filled(context, columns, rows, said)


def _cell(context: RenderContext, arm: Arm, key: str, domains: list[str]) -> Cell:
    names = domains if key == ALL else [key]
    different, drawn = (_counted(context, arm, names, m) for m in (DIFFERENT, DRAWN))
    if different is None or drawn is None:
        return Cell()
    return Cell(measure=different, remark=f"{drawn.value:,.0f}")


def _counted(context: RenderContext, arm: Arm, domains: list[str], metric: str) -> Measure | None:
    """Rows of these domains together, mean over the seeds that have any of them."""
    scores = context.scores
    seeds = sorted({s for d in domains for s in scores.seeds(arm.name, d, metric)})
    totals = [
        sum(
            float(scores.cube(arm.name, d, (seed,), metric).sum())
            for d in domains
            if seed in scores.seeds(arm.name, d, metric)
        )
        for seed in seeds
    ]
    if not totals:
        return None
    found = measure(paired_t(np.array(totals)), 1.0, SEEDS)
    # Rows that follow from constant shares are the same for every seed.
    same = len(set(totals)) == 1
    return dataclasses.replace(found, low=None, high=None) if same else found
