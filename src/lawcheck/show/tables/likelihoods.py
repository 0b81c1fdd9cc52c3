"""How likely every arm of a law finds right answers, where its items have likelihoods."""

from __future__ import annotations

import functools

from lawcheck.declare.metrics import BITS, INFORMATION, ITEM_METRICS, NORMALISED, PROBABILITY
from lawcheck.errors import InputError
from lawcheck.show.columns import filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.labels import arm_labels

TABLE = Table(
    name="likelihoods",
    title="Likelihoods of right answers",
    caption=(
        "Means over the disciplines of the average, \u00b1 half width of the 95 % interval (seeds "
        "and items crossed; items only where a single seed was run). Bits per byte: of the gold "
        "answer, less is better. Probability of the right option: among the options, from their "
        "log-likelihoods, then per byte. Information: bits that the gold answer's likelihood "
        "gains from its own prompt over another item's. \u2014: not measured."
    ),
)
HEADERS = {
    BITS: "Bits per byte",
    PROBABILITY: "Right option",
    NORMALISED: "Right option, per byte",
    INFORMATION: "Information",
}


def build(context: RenderContext) -> Grid:
    """Raises InputError where no item has likelihoods."""
    columns = tuple(
        Column(key=metric, header=header, unit=ITEM_METRICS[metric].unit, best=False)
        for metric, header in HEADERS.items()
        if metric in context.scores.metrics
    )
    if not columns:
        raise InputError(
            f"{TABLE.name}: no likelihoods in the scores of law {context.law.name!r}; set "
            f"'evaluation: {{likelihood: true}}' in the scale, or leave the table out of its list"
        )
    context.summary.require(context.arms, f"{TABLE.name}_{context.law.name}")
    labels = arm_labels(context.law, context.families)
    measures = {c.key: functools.partial(context.summary.likelihood, metric=c.key) for c in columns}
    rows = (row(context, columns, a, labels[a.name], measures=measures) for a in context.arms)
    return filled(context, columns, tuple(rows))
