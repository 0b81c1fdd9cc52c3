"""Table 4 of Lu et al.: the best strategy, and what its gain is on seeds that did not choose it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lawcheck.declare.design import Arm
from lawcheck.judging.stats import paired_t
from lawcheck.show.columns import filled, fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.printed import lines
from lawcheck.show.summary import SEEDS_ONLY, Measure, measure
from lawcheck.studies.merging.strategies import (
    Strategy,
    domain,
    instructs,
    level,
    plain,
    strategies,
)

TABLE = Table(
    name="merging_table_4",
    law="merge_synergy",
    title="Table 4. The best strategy",
    caption=(
        "Descriptive: the strategy with the highest mean over seeds on the adapted disciplines. "
        "Best in: share of single seeds in which it is the best. Gain: over the instruct model, "
        "in points, chosen and measured on the same scores, which is too high. Gain elsewhere: "
        "chosen on all other seeds and measured on the one left out, mean \u00b1 half width of the "
        "95 % interval over seeds."
    ),
)
COLUMNS = (
    Column(key="level", header="Accuracy", unit="accuracy", best=False),
    Column(key="best", header="Best in (% of seeds)", unit="percent", decimals=0, best=False),
    Column(key="gain", header="Gain (points)", unit="points", decimals=1, best=False),
    Column(key="elsewhere", header="Gain elsewhere", unit="points", decimals=1, best=False),
)
AMONG = {"all": lambda s: True, "unmerged": lambda s: not s.merged, "merged": lambda s: s.merged}


def build(context: RenderContext) -> Grid:
    found = plain(strategies(context.law, TABLE.name))
    context.summary.require([s.arm for s in found], TABLE.name)
    partners = instructs(context.law)
    rows = []
    for base, partner in partners.items():
        block = context.families.get(base, base) if len(partners) > 1 else ""
        for among, wanted in AMONG.items():
            own = [s for s in found if s.arm.base == base and wanted(s)]
            row = _row(context, among, block, own, partner)
            rows += [row] if row is not None else []
    scored = [s for s in found if level(context, s.arm) is not None]
    said = [*_in_print()]
    if len(scored) < len(found):
        said.append(f"Among {len(scored)} of {len(found)} strategies; {context.how}.")
    return filled(context, COLUMNS, rows, said)


def _row(
    context: RenderContext, among: str, block: str, found: list[Strategy], partner: Arm
) -> Row | None:
    """None unless two strategies and the instruct model have scores."""
    known = [s for s in found if level(context, s.arm) is not None]
    if len(known) < 2 or level(context, partner) is None:
        return None
    values, _, _ = context.summary.evidence.levels(
        [partner, *(s.arm for s in known)], domain(context.law)
    )
    gains = np.stack([(values[s.arm] - values[partner]).mean(axis=1) for s in known])
    top = int(gains.mean(axis=1).argmax())
    best = 100 * float((gains.argmax(axis=0) == top).mean())
    cells = {
        "level": level(context, known[top].arm),
        "best": fixed(best, "none, counted"),
        "gain": fixed(float(gains[top].mean()), "none, chosen on these scores"),
        "elsewhere": _elsewhere(gains),
    }
    label = f"{among[0].upper()}{among[1:]}: {known[top].label}"
    return Row(label=label, arm="", cells=tuple(Cell(measure=cells[c.key]) for c in COLUMNS),
               block=block)  # fmt: skip


def _elsewhere(gains: NDArray[np.float64]) -> Measure | None:
    """gains: (n_strategies, n_seeds). None for one seed, which nothing else can choose for."""
    n = gains.shape[1]
    if n < 2:
        return None
    held = [
        float(gains[int(np.delete(gains, k, axis=1).mean(axis=1).argmax()), k]) for k in range(n)
    ]
    return measure(paired_t(held), 1.0, SEEDS_ONLY)


def _in_print() -> list[str]:
    best: dict[str, dict[str, list[str]]] = {}
    for line in lines("domain_adaptation_order"):
        if line["worse"] == "every other" and line["among"] == "all":
            places = best.setdefault(line["family"], {}).setdefault(
                line["better"].removeprefix("*-"), []
            )
            places.append(line["source"].partition(", ")[0])
    said = []
    for family, stated in best.items():
        each = [f"{s} ({', '.join(dict.fromkeys(p))})" for s, p in stated.items()]
        said.append(f"{family} {' or '.join(each)}")
    gains = [
        f"{line['relation']} {line['value']} % ({line['subject']})"
        for line in lines("domain_adaptation_text")
        if line["quantity"].startswith("largest gain")
    ]
    return [
        f"In print, the best of all strategies, single runs: {'; '.join(said)}.",
        f"Largest printed gains over Instruct, relative: {' and '.join(gains)}.",
    ]
