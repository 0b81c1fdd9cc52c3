"""What stands beside the verdicts of the published tables: CPU time, agreement, stability.

    python benchmarks/beside.py [--studies 1000]

Laws: CPU seconds of all posteriors of a law and of its study sizes, loading apart; the largest
difference between a posterior probability of a contrast and the one-sided p value of its test.
Agreement: the same difference in simulated studies. Sizes: the first design of every part from the
first 3, 4 and 5 seeds of its table.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from lawcheck.declare import discovery
from lawcheck.declare.design import Law
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.sizing import Sizing, measured, sizing, variances
from lawcheck.judging.stats import two_way
from lawcheck.judging.stats.components import Components, components
from lawcheck.judging.stats.posterior import posterior, posterior_of_t, regions
from lawcheck.judging.stats.simulation import Cell, contrast, simulate
from lawcheck.planning.cost import planned_cost
from lawcheck.scores import load_scores, task_places

TABLES = Path(__file__).resolve().parents[1] / "results" / "reference" / "proxy" / "laws"
CELLS = {
    "3 seeds": Cell(seeds=3, items=200),
    "5 seeds": Cell(seeds=5, items=300),
    "10 seeds, items rule": Cell(seeds=10, items=100, seed_sd=0.5, item_sd=15.0),
}


class First(Evidence):
    """The first `count` seeds of a table."""

    count = 5

    def common_seeds(self, arms, tasks, metric=None):
        seeds, notes = super().common_seeds(arms, tasks, metric)
        return seeds[: self.count], notes


def sizes(law: Law, evidence: Evidence) -> dict[str, Sizing | None]:
    parts = [
        (h, measured(h, evidence.for_part(h.name)))
        for h in law.hypotheses
        if not isinstance(h.estimand, RankCorrelation)
    ]
    known = variances([(h, data) for h, data in parts if data is not None])
    return {h.name: sizing(h, known[h.name]) for h, _ in parts if h.name in known}


def law_row(law: Law, evidence: Evidence) -> str:
    began = time.process_time()
    gaps = [0.0]
    for h in law.hypotheses:
        where = regions(h.alternative, h.sesoi, h.margin)
        data = measured(h, evidence.for_part(h.name))
        if where is None or data is None:
            continue
        if not isinstance(data, Components):
            posterior_of_t(data, where)
            continue
        found = posterior(data, where, np.random.default_rng(0))
        test, _ = evidence.combination(h.estimand.weights, h.estimand.target)
        beside = posterior_of_t(test, where)
        if found and beside:
            gaps += [abs(found.reversed - beside.reversed)]
            gaps += [abs(found.of_interest - beside.of_interest)]
    middle = time.process_time()
    sizes(law, evidence)
    ended = time.process_time()
    return f"| {law.name} | {middle - began:.2f} | {ended - middle:.2f} | {max(gaps):.3f} |"


def agreement(cell: Cell, studies: int) -> np.ndarray:
    """Absolute differences of two probabilities and their p values, a study each."""
    rng = np.random.default_rng(7)
    where = regions("greater", 1.0)
    gaps = []
    for _ in range(studies):
        arms = simulate(cell, (1.0, 0.0), 1, rng)
        cubes = [d[0] for d in contrast(*arms)]
        test, data = two_way(cubes), components(cubes)
        found = posterior(data, where, np.random.default_rng(0), 1000)
        gaps += [found.reversed - test.p_above(0.0), found.of_interest - test.p_below(1.0)]
    return np.abs(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    options = parser.parse_args()
    places = task_places(discovery.disciplines().values())
    rows = []
    print("| law | posterior, s | sizes, s | largest difference from p |")
    print("| --- | --- | --- | --- |")
    for path in sorted(TABLES.glob("*.scores.parquet")):
        law = discovery.law(path.name.split(".")[0])
        given = {"scores": load_scores([path]), "places": places, "cost": planned_cost}
        print(law_row(law, Evidence(**given, law=law.name)))
        few = []
        for count in (3, 4, 5):
            few.append(sizes(law, type("Few", (First,), {"count": count})(**given, law=law.name)))
        rows += [(law.name, name, [f[name].text for f in few]) for name in few[0]]
    print("\n| simulated studies | mean difference | 95 % below | 99 % below | largest |")
    print("| --- | --- | --- | --- | --- |")
    for name, cell in CELLS.items():
        gaps = agreement(cell, options.studies)
        tail = " | ".join(f"{np.quantile(gaps, q):.3f}" for q in (0.95, 0.99, 1.0))
        print(f"| {name} | {gaps.mean():.3f} | {tail} |")
    print("\n| law | part | 3 seeds | 4 seeds | 5 seeds |")
    print("| --- | --- | --- | --- | --- |")
    for law, name, texts in rows:
        print(f"| {law} | {name} | {' | '.join(texts)} |")


if __name__ == "__main__":
    main()
