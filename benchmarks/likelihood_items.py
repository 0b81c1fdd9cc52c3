"""How many seeds x items every part of a law needs, by accuracy and by likelihoods.

    python benchmarks/likelihood_items.py SCORES... [--law NAME] [--write]

SCORES: score tables of a scale with `evaluation: {likelihood: true}`. The page's own come from

    snakemake --profile local law_NAME --config scale=benchmarks/likelihood_items.yaml

A smallest effect in points becomes one in another unit by the slope of a line through the means of
all arms and bases, on the part's own target; r is their correlation, with its sign turned where
less is better. Without a clear line (r below 0.7, or fewer than 5 arms) there is no such effect and
no size. Sizes as a verdict prints them: 80 % power, variances of like parts leaning on one another.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lawcheck.declare import discovery
from lawcheck.declare.design import Contrast, Hypothesis, Law, Target
from lawcheck.declare.metrics import ACCURACY, BITS, INFORMATION, ITEM_METRICS, PROBABILITY
from lawcheck.errors import InputError
from lawcheck.files.atomic import write_text
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.sizing import Design, Sizing, measured, sizing, variances
from lawcheck.scores import ScoreTable, load_scores, task_places

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "likelihood.md"
METRICS = (ACCURACY, BITS, PROBABILITY, INFORMATION)
CLEAR, FEWEST_ARMS = 0.7, 5
BEGIN, END = "<!-- likelihood_items -->", "<!-- end -->"


def exchange(law: Law, evidence: Evidence, target: Target, metric: str) -> tuple[float, float]:
    """Units of the metric, towards better, per point of accuracy over the arms; the correlation.

    NaN where there is none.
    """
    found = []
    for a in law.arms:
        try:
            pair = [
                evidence.combination(((a, 1.0),), target, m)[0].value for m in (ACCURACY, metric)
            ]
        except InputError:
            continue
        found.append(pair)
    if len(found) < FEWEST_ARMS:
        return np.nan, np.nan
    x, y = np.array(found).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan
    y = -y if ITEM_METRICS[metric].lower else y
    return float(np.polyfit(x, y, 1)[0]), float(np.corrcoef(x, y)[0, 1])


def sizes(law: Law, evidence: Evidence, metric: str) -> dict[str, tuple[Sizing | None, float]]:
    """Part -> study size for its effect in this metric, and the correlation behind the effect.

    Parts that the metric cannot speak of are left out.
    """
    parts, behind = [], {}
    for h in law.hypotheses:
        e = h.estimand
        if not isinstance(e, Contrast) or e.metric != ACCURACY:
            continue
        slope, r = (1.0, 1.0) if metric == ACCURACY else exchange(law, evidence, e.target, metric)
        try:
            asked = _in_unit(h, e, metric, slope if r >= CLEAR else 0.0)
            data = measured(asked, evidence.for_part(h.name))
        except InputError:
            continue
        behind[h.name] = r
        if data is not None:
            parts.append((asked, data))
    known = variances(parts)
    plans = {h.name: sizing(h, known[h.name]) for h, _ in parts if h.name in known}
    return {name: (plans.get(name), r) for name, r in behind.items()}


def _in_unit(h: Hypothesis, e: Contrast, metric: str, factor: float) -> Hypothesis:
    margin = None if h.margin is None else h.margin * factor
    return dataclasses.replace(
        h, estimand=dataclasses.replace(e, metric=metric), sesoi=h.sesoi * factor, margin=margin
    )


def cheapest(plan: Sizing) -> Design:
    """Of a part's designs the one with the fewest scored items."""
    return min(plan.designs, key=lambda d: d.seeds * (d.items or 1))


def rows(law: Law, table: ScoreTable) -> list[list[str]]:
    evidence = Evidence(
        scores=table, places=task_places(discovery.disciplines().values()), law=law.name
    )
    found = {m: sizes(law, evidence, m) for m in METRICS}
    lines = []
    for h in law.hypotheses:
        if not isinstance(h.estimand, Contrast):
            kind = type(h.estimand).__name__
            lines.append([law.name, h.name, *["-"] * len(METRICS), f"{kind}: no likelihood form"])
            continue
        cells, note = [], ""
        plain = found[ACCURACY].get(h.name)
        for m in METRICS:
            plan, r = found[m].get(h.name, (None, np.nan))
            if h.name not in found[m]:
                cells.append("not measured")
            elif plan is None:
                cells.append("-" if m == ACCURACY or r >= CLEAR else f"no line (r {r:.2f})")
            else:
                design = cheapest(plan)
                text = f"{design.seeds} x {design.items:,}"
                if m != ACCURACY and plain is not None and plain[0] is not None:
                    first = cheapest(plain[0])
                    ratio = design.seeds * design.items / (first.seeds * first.items)
                    text += f" ({ratio:.2g}, r {r:+.2f})"
                cells.append(text)
        if plain is None:
            note = "arms not run"
        lines.append([law.name, h.name, *cells, note])
    return lines


def report(lines: Sequence[Sequence[str]]) -> str:
    head = ("law", "part", *METRICS, "note")
    every = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", nargs="+", type=Path)
    parser.add_argument("--law", action="append", help="only these; default: all of the studies")
    parser.add_argument("--write", action="store_true", help="into docs/likelihood.md")
    options = parser.parse_args()
    table = load_scores(options.scores)
    study = discovery.studies()["discipline_laws"]
    named = options.law or [n for n in discovery.laws() if discovery.study_of(n) == study]
    text = report([r for n in named for r in rows(discovery.law(n), table)])
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        write_text(PAGE, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    main()
