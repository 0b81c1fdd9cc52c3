"""Table 4: detected shares left as they are, against shares that move."""

from __future__ import annotations

import dataclasses

from lawcheck.show.columns import INTERVALS
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Grid, Table
from lawcheck.show.printed import printed
from lawcheck.studies.versatune.released import leads
from lawcheck.studies.versatune.shown import comparison, domain_columns

TABLE = Table(
    name="versatune_table_4",
    law="dynamic_potential",
    title="Table 4 of VersaTune. Constant and moving shares",
    caption=(
        "Accuracy in percent by domain, of detected shares left as they are (VersaTune Constant) "
        "and moved (VersaTune), for each base model, and below it the published rows, in italics. "
        "Avg: mean over all domains of the row. " + INTERVALS
    ),
)
METHODS = ("VersaTune Constant", "VersaTune")
PRINTED = "versatune_constant_ablation"
BENCHMARKS = ("legalbench_lawbench", "medqa_medmcqa", "fineval_financeiq", "scieval_mmlu-sci",
              "humaneval_mbpp", "agieval_hellaswag")  # fmt: skip


def build(context: RenderContext) -> Grid:
    grid = comparison(context, TABLE.name, domain_columns(context), METHODS, PRINTED)
    names = (PRINTED, *(f"versatune_bench_{pair}" for pair in BENCHMARKS))
    said = [
        f"Published {f.where}, {f.note} (from {f.printed} to {f.recomputed} points)."
        for f in leads({name: printed(name) for name in names})
    ]
    return dataclasses.replace(grid, notes=(*said, *grid.notes))
