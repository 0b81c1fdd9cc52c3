"""Table 1 of Lu et al.: the stages, what they are trained on, and what each adds."""

from __future__ import annotations

from collections.abc import Mapping

from lawcheck.declare.design import Arm, Contrast, Target, pooled
from lawcheck.show.columns import filled, fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.printed import lines
from lawcheck.show.summary import Measure
from lawcheck.studies.merging.panels import as_measure
from lawcheck.studies.merging.strategies import (
    Strategy,
    domain,
    estimated,
    plain,
    strategies,
)

TABLE = Table(
    name="merging_table_1",
    law="stages",
    title="Table 1. What each stage adds",
    caption=(
        "Change by a stage against the model that it started from, of a merge against the adapted "
        "model: mean over all strategies of the law that end in it, in points, with the half width "
        "of the 95 % interval, paired over seeds and items. Domain: the disciplines that the "
        "models are adapted to. \u2014: not measured."
    ),
)
STAGES = {"cpt": "CPT", "sft": "SFT", "dpo": "DPO", "orpo": "ORPO", "merge": "SLERP"}
COLUMNS = (
    Column(key="arms", header="Strategies", unit="strategies", decimals=0, best=False),
    Column(key="domain", header="Domain (points)", unit="points", decimals=1, best=False),
    Column(key="general", header="Instr. (points)", unit="points", decimals=1, best=False),
    Column(key="cpu_seconds", header="CPU s", unit="seconds", decimals=0, best=False),
)


def build(context: RenderContext) -> Grid:
    found = [s for s in plain(strategies(context.law, TABLE.name)) if _own(context, s)]
    context.summary.require([s.arm for s in found], TABLE.name)
    data = lines("domain_adaptation_stages")
    rows = []
    for name in STAGES.values():
        ending = [s for s in found if (s.kind or s.stages[-1]) == name]
        pairs = [(s, _above(context, s)) for s in ending]
        cells: Mapping[str, Measure | None] = {
            "arms": fixed(len(pairs), "none, counted"),
            "domain": _change(context, pairs, domain(context.law)),
            "general": _change(context, pairs, "general"),
            "cpu_seconds": _seconds(context, ending),
        }
        rows.append(
            Row(
                label=name,
                arm="",
                cells=tuple(Cell(measure=cells[c.key]) for c in COLUMNS),
            )
        )
    lost = sum(not context.summary.scored(s.arm.name) for s in found)
    said = [f"No scores yet of {lost} of {len(found)} strategies; {context.how}."] if lost else []
    if context.measured:
        said.append("CPU s: measured training time of one seed of the stage alone.")
    trained = [f"{STAGES[line['stage']]}: {line['data']}" for line in data]
    said.append(f"Data of the published stages: {'; '.join(trained)}.")
    return filled(context, COLUMNS, rows, said)


def _own(context: RenderContext, s: Strategy) -> bool:
    return s.arm.base == context.law.base.base


def _above(context: RenderContext, s: Strategy) -> Arm:
    """What a strategy's last step started from."""
    if s.merged:
        return s.tuned
    return s.arm.parents[0] if s.arm.parents else context.law.base


def _change(
    context: RenderContext, pairs: list[tuple[Strategy, Arm]], target: Target
) -> Measure | None:
    known = [
        (s.arm, above)
        for s, above in pairs
        if None not in (context.summary.accuracy(a, target) for a in (s.arm, above))
    ]
    if not known:
        return None
    weights = pooled([a for a, _ in known], [a for _, a in known])
    return as_measure(estimated(context, Contrast(weights=weights, target=target)))


def _seconds(context: RenderContext, found: list[Strategy]) -> Measure | None:
    known = [context.measured[s.arm.name] for s in found if s.arm.name in context.measured]
    return fixed(sum(known) / len(known), "measured, mean over strategies") if known else None
