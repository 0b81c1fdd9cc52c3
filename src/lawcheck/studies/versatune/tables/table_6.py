"""Table 6: the benchmarks of the domain medical."""

from __future__ import annotations

from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid
from lawcheck.studies.versatune import benchmarks

TABLE = benchmarks.table("medical")


def build(context: RenderContext) -> Grid:
    return benchmarks.build(context, "medical")
