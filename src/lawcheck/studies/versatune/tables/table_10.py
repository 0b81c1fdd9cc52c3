"""Table 10: the benchmarks of the domain general."""

from __future__ import annotations

from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid
from lawcheck.studies.versatune import benchmarks

TABLE = benchmarks.table("general")


def build(context: RenderContext) -> Grid:
    return benchmarks.build(context, "general")
