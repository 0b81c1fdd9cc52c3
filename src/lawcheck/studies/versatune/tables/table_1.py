"""Table 1: even, inverse and moving mixtures over the domains."""

from __future__ import annotations

from lawcheck.show.columns import INTERVALS
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.studies.versatune.shown import comparison, domain_columns

TABLE = Table(
    name="versatune_table_1",
    law="knowledge_consistency",
    title="Table 1 of VersaTune. Mixtures in multi-ability fostering",
    caption=(
        "Accuracy in percent by domain, for each base model, and below it the published rows, in "
        "italics, on other domains where the columns differ. Avg: mean over all domains of the "
        "row. " + INTERVALS
    ),
)
METHODS = ("Uniform Distribution", "Inverse Distribution", "VersaTune")


def build(context: RenderContext) -> Grid:
    return comparison(context, TABLE.name, domain_columns(context), METHODS, "versatune_main")
