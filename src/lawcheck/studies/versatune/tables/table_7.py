"""Table 7: the benchmarks of the domain finance."""

from __future__ import annotations

from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid
from lawcheck.studies.versatune import benchmarks

TABLE = benchmarks.table("finance")


def build(context: RenderContext) -> Grid:
    return benchmarks.build(context, "finance")
