"""Claimed contrasts against item noise and against a run-to-run proxy, with Holm.

Every cell in print is one run, so a contrast has no replication of its own. Two yardsticks
stand in for it. Items: binomial noise, once with independent arms and once with the same items
answered alike (correlation ITEM_CORRELATION). Runs: scatter of a factorial of single runs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lawcheck.judging.stats import holm
from lawcheck.show.audit.declared import Claim, Pattern, RunProxy, Tables, audits
from lawcheck.show.audit.schema import (
    Configuration,
    cells,
    stated_sizes,
)

ITEM_CORRELATION = 0.5
ALPHA = 0.05
Outcome = Literal["supported", "reversed", "within noise"]
Weights = dict[Configuration, float]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One judged claim, in points. Standard errors are None where no yardstick exists.

    agree, pairs: single pairs (run x quantity) whose sign is as claimed. changed: factors that
    differ inside the pairs. p: Holm-adjusted, of the claim and of its opposite.
    """

    claim: Claim
    value: float
    agree: int
    pairs: int
    changed: tuple[str, ...]
    se_items: float | None
    se_items_correlated: float | None
    se_runs: float | None
    df_runs: float | None
    proxy: str
    p: float | None
    p_opposite: float | None
    outcome: Outcome


class Results:
    """Measured shares by paper, configuration and quantity; the first table to print one counts."""

    def __init__(self, tables: Tables) -> None:
        self.values: dict[str, dict[Configuration, dict[str, float]]] = defaultdict(dict)
        for cell in cells(tables):
            run = self.values[cell.spec.paper].setdefault(cell.configuration, {})
            run.setdefault(cell.quantity, cell.share)
        self.sizes = _sizes(tables)

    def select(
        self, paper: str, pattern: Pattern, quantities: Sequence[str]
    ) -> list[Configuration]:
        """Runs that fit a pattern and have the quantities; a factor a run lacks is no obstacle,
        unless it is what identifies the run."""
        found = []
        for configuration, measured in self.values[paper].items():
            levels = dict(configuration)
            identified = any(k in levels for k in pattern)
            fits = all(levels.get(k, allowed[0]) in allowed for k, allowed in pattern.items())
            if identified and fits and all(q in measured for q in quantities):
                found.append(configuration)
        return found

    def mean(self, paper: str, run: Configuration, quantities: Sequence[str]) -> float:
        return sum(self.values[paper][run][q] for q in quantities) / len(quantities)


def _sizes(tables: Tables) -> dict[tuple[str, str], int]:
    """Items behind a column; the smallest where several are possible, which is cautious."""
    found: dict[tuple[str, str], int] = {}
    for paper, column, row in stated_sizes(tables):
        found[paper, column] = min(found.get((paper, column), 10**9), int(row["n_items"]))
    return found


def components(paper: str, quantity: str) -> dict[str, float]:
    """The columns that are scored item by item, with their weights in a quantity."""
    declared = audits().get(paper)
    return dict(declared.components.get(quantity, {}) if declared else {}) or {quantity: 1.0}


def pair(results: Results, claim: Claim) -> list[tuple[Configuration, Configuration]]:
    """Treatment and control runs that agree in every factor neither pattern names."""
    treated = results.select(claim.paper, claim.treatment, claim.quantities)
    controls = results.select(claim.paper, claim.control, claim.quantities)
    if claim.peak:
        best, others = (
            [
                max(group, key=lambda r: results.mean(claim.paper, r, claim.quantities))
                for group in _by_method(runs)
            ]
            for runs in (treated, controls)
        )
        return [(t, c) for t in best for c in others]
    named = {k for p in (claim.treatment, claim.control) for k in p if _moves(claim, k)}
    found = []
    for t in treated:
        for c in controls:
            a, b = dict(t), dict(c)
            if t != c and all(a[k] == b[k] for k in a.keys() & b.keys() if k not in named):
                found.append((t, c))
    return found


def _moves(claim: Claim, factor: str) -> bool:
    """Whether a factor's levels differ between the two selections."""
    return claim.treatment.get(factor) != claim.control.get(factor)


def _by_method(runs: Sequence[Configuration]) -> list[list[Configuration]]:
    groups: dict[str, list[Configuration]] = defaultdict(list)
    for run in runs:
        groups[dict(run)["method"]].append(run)
    return list(groups.values())


def item_errors(
    results: Results, paper: str, weights: Weights, quantities: Sequence[str]
) -> tuple[float, float] | None:
    """Standard errors in shares, independent and correlated; None where a size is not stated.

    Where only an average is printed, it stands for the columns it averages.
    """
    columns: dict[str, float] = defaultdict(float)
    for quantity in quantities:
        for column, part in components(paper, quantity).items():
            columns[column] += part / len(quantities)
    independent = correlated = 0.0
    for column, part in columns.items():
        n = results.sizes.get((paper, column))
        if n is None:
            return None
        known = [
            results.values[paper][r].get(column, results.mean(paper, r, quantities))
            for r in weights
        ]
        sd = np.array([math.sqrt(p * (1 - p) / n) for p in known])
        w = np.array(list(weights.values())) * sd
        own = float((w**2).sum())
        independent += part**2 * own
        both = (1 - ITEM_CORRELATION) * own + ITEM_CORRELATION * float(w.sum()) ** 2
        correlated += part**2 * both
    return math.sqrt(independent), math.sqrt(correlated)


def scatter(
    results: Results,
    paper: str,
    pattern: Pattern,
    factors: tuple[str, str],
    quantities: Sequence[str],
) -> tuple[float, int] | None:
    """Residual SD (share) of an additive fit of a complete factorial, and its df."""
    table: dict[tuple[str, str], float] = {}
    for run in results.select(paper, pattern, quantities):
        levels = dict(run)
        key = (levels[factors[0]], levels[factors[1]])
        table.setdefault(key, results.mean(paper, run, quantities))
    first, second = (sorted({k[i] for k in table}) for i in (0, 1))
    df = (len(first) - 1) * (len(second) - 1)
    if min(len(first), len(second)) < 2 or len(table) != len(first) * len(second):
        return None
    grid = np.array([[table[a, b] for b in second] for a in first])
    rest = grid - grid.mean(axis=0) - grid.mean(axis=1, keepdims=True) + grid.mean()
    return math.sqrt(float((rest**2).sum()) / df), df


def run_error(
    results: Results, paper: str, weights: Weights, quantities: Sequence[str]
) -> tuple[float, int, str] | None:
    """Standard error (share), df and name of the first proxy that holds the quantities."""
    for proxy in _proxies(paper):
        found = scatter(results, paper, proxy.runs, proxy.factors, quantities)
        if found is not None and found[0] > 0:
            sd, df = found
            return sd * math.sqrt(sum(w * w for w in weights.values())), df, proxy.words
    return None


def _proxies(paper: str) -> list[RunProxy]:
    declared = audits().get(paper)
    return list(declared.proxies) if declared else []


def judge_claims(tables: Tables, claims: Sequence[Claim]) -> list[Contrast]:
    """Every claim whose cells are there, Holm within a paper."""
    results = Results(tables)
    drafts: dict[str, list[dict]] = defaultdict(list)
    for claim in claims:
        draft = _draft(results, claim)
        if draft is not None:
            drafts[claim.paper].append(draft)
    found = []
    for group in drafts.values():
        forward = [holm([d["p"][k] for d in group]) for k in (0, 1)]
        backward = [holm([d["opposite"][k] for d in group]) for k in (0, 1)]
        for k, draft in enumerate(group):
            p, opposite = _worst(forward, k), _worst(backward, k)
            outcome: Outcome = "within noise"
            if p is not None and p < ALPHA:
                outcome = "supported"
            elif opposite is not None and opposite < ALPHA:
                outcome = "reversed"
            kept = {n: v for n, v in draft.items() if n not in ("p", "opposite")}
            found.append(Contrast(**kept, p=p, p_opposite=opposite, outcome=outcome))
    return found


def _worst(adjusted: list[list[float | None]], k: int) -> float | None:
    """The larger p value: a contrast must exceed every yardstick there is."""
    given = [p for column in adjusted if (p := column[k]) is not None]
    return max(given) if given else None


def _draft(results: Results, claim: Claim) -> dict | None:
    pairs = pair(results, claim)
    if not pairs:
        return None
    weights: Weights = defaultdict(float)
    for t, c in pairs:
        weights[t] += 1 / len(pairs)
        weights[c] -= 1 / len(pairs)
    weights = {r: w for r, w in weights.items() if abs(w) > 1e-12}
    value = sum(w * results.mean(claim.paper, r, claim.quantities) for r, w in weights.items())
    items = item_errors(results, claim.paper, weights, claim.quantities)
    runs = run_error(results, claim.paper, weights, claim.quantities)
    yardsticks = [
        (items[0], math.inf) if items else None,
        (runs[0], float(runs[1])) if runs else None,
    ]
    judged = [_p(claim, value, *y) if y else (None, None) for y in yardsticks]
    single = [
        results.values[claim.paper][t][q] - results.values[claim.paper][c][q]
        for t, c in pairs
        for q in claim.quantities
    ]
    changed = sorted(
        {k for t, c in pairs for k in dict(t).keys() & dict(c).keys() if dict(t)[k] != dict(c)[k]}
    )
    return {
        "claim": claim,
        "value": 100 * value,
        "agree": sum(_as_claimed(claim, d) for d in single),
        "pairs": len(single),
        "changed": tuple(changed),
        "se_items": 100 * items[0] if items else None,
        "se_items_correlated": 100 * items[1] if items else None,
        "se_runs": 100 * runs[0] if runs else None,
        "df_runs": float(runs[1]) if runs else None,
        "proxy": runs[2] if runs else "",
        "p": [p for p, _ in judged],
        "opposite": [o for _, o in judged],
    }


def _as_claimed(claim: Claim, difference: float) -> bool:
    return {
        "greater": difference > 0,
        "less": difference < 0,
        "no_gain": difference < claim.margin,
        "equal": abs(difference) < claim.margin,
    }[claim.says]


def _p(claim: Claim, value: float, se: float, df: float) -> tuple[float, float]:
    """One-sided p values of the claim and of its opposite."""
    from scipy import stats  # takes a second, which planning does without

    def above(threshold: float) -> float:
        return float(stats.t.sf((value - threshold) / se, df))

    if claim.says == "greater":
        return above(0), 1 - above(0)
    if claim.says == "less":
        return 1 - above(0), above(0)
    if claim.says == "no_gain":
        return 1 - above(claim.margin), above(claim.margin)
    outside = min(above(claim.margin), 1 - above(-claim.margin))
    return max(above(-claim.margin), 1 - above(claim.margin)), outside
