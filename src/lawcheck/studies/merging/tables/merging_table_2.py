"""Every strategy before and after its merge: the numbers of figures 4, 7 and 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Arm
from lawcheck.show.columns import INTERVALS, filled, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.summary import Measure
from lawcheck.studies.merging.panels import as_measure
from lawcheck.studies.merging.strategies import (
    Strategy,
    by_tuned,
    domain,
    instructs,
    level,
    over,
    self_merges,
    strategies,
    synergy,
)

TABLE = Table(
    name="merging_table_2",
    law="merge_synergy",
    title="Strategies before and after their merge",
    caption=(
        "Accuracy on each discipline that the models are adapted to, their mean, and general "
        "instructions. Less instruct: change of that mean against the instruct model; less mean, "
        "less better: of a merge against the mean of its parents, and the smaller of the contrasts "
        "with either; in points, paired over seeds and items. " + INTERVALS
    ),
)
OUT_OF_SCOPE = (
    "The published Tables 2 and 3 hold opinions of GPT-4o on five conversations; no score here "
    "stands for them."
)


def build(context: RenderContext) -> Grid:
    law = context.law
    partners = instructs(law)
    found = [s for group in by_tuned(strategies(law, TABLE.name)).values() for s in group]
    of = {s.arm: s for s in found}
    target = domain(law)
    keys = (target,) if isinstance(target, str) else target
    titles = {d.name: d.short or d.title for d in context.disciplines}
    columns = [
        *(Column(key=k, header=titles.get(k, k), unit="accuracy") for k in keys),
        *([Column(key="domain", header="Mean", unit="accuracy", best=False)] * (len(keys) > 1)),
        *([Column(key="general", header="Instr.", unit="accuracy")] if context.of_role("general")
          else []),
        Column(key="instruct", header="Less instruct", unit="points", decimals=1, best=False),
        Column(key="mean", header="Less mean", unit="points", decimals=1, best=False),
        Column(key="better", header="Less better", unit="points", decimals=1, best=False),
    ]  # fmt: skip
    measures = {
        "domain": lambda arm: level(context, arm),
        "instruct": lambda arm: as_measure(over(context, [arm], [partners[arm.base]])),
        "mean": lambda arm: _of_merge(context, of.get(arm), "over_mean"),
        "better": lambda arm: _of_merge(context, of.get(arm), "over_better"),
    }
    lines: list[tuple[str, str, Arm]] = []
    for base, partner in partners.items():
        name = context.families.get(base, base)
        where = f"{name}, " if len(partners) > 1 else ""
        lines.append((f"{where}partner" if where else "Partner", "Instruct model", partner))
        lines += [
            (f"{where}{s.start} start", _label(s, found), s.arm)
            for s in found
            if s.arm.base == base
        ]
    lines += [("Merged with a replica of itself", _replicated(a, of), a) for a in self_merges(law)]
    context.summary.require([arm for *_, arm in lines], TABLE.name)
    rows = [row(context, columns, arm, label, block, None, measures) for block, label, arm in lines]
    return filled(context, columns, rows, [OUT_OF_SCOPE])


def _replicated(arm: Arm, of: Mapping[Arm, Strategy]) -> str:
    known = of.get(arm.parents[0])
    return arm.parents[0].name if known is None else known.label


def _label(s: Strategy, found: Sequence[Strategy]) -> str:
    """The strategy, and what is not in its name."""
    more = [s.schedule] if s.merged and s.schedule != "reference" else []
    more += [f"until epoch {s.epoch}"] if s.epoch is not None else []
    recipe = s.tuned.recipe
    fractions = {o.tuned.recipe.fraction for o in found if o.tuned.recipe}
    if recipe is not None and len(fractions) > 1:
        more.append(f"{100 * recipe.fraction:g} % of the rows")
    return ", ".join([s.label, *more])


def _of_merge(context: RenderContext, s: Strategy | None, which: str) -> Measure | None:
    return None if s is None or not s.merged else as_measure(getattr(synergy(context, s), which))
