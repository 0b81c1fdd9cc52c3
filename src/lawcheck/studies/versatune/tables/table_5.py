"""Table 5: the benchmarks of the domain law."""

from __future__ import annotations

from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid
from lawcheck.studies.versatune import benchmarks

TABLE = benchmarks.table("law")


def build(context: RenderContext) -> Grid:
    return benchmarks.build(context, "law")
