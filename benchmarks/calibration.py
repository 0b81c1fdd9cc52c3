"""Error rates of the judge on simulated scores, beside the usual alternatives.

    python benchmarks/calibration.py --quick            a few minutes: does anything look wrong?
    python benchmarks/calibration.py --write            the table of docs/calibration.md

Every method sees the same data. Rates are percentages; the nominal level is 5 % one-sided, the
nominal coverage 95 %. One thread, no files but the page and the rows beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_peers import AWAY, HERE, elsewhere
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lawcheck.declare import discovery
from lawcheck.declare.design import Hypothesis, Law
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.files.atomic import write_text
from lawcheck.judging.beside import decided
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.looks import Looks
from lawcheck.judging.operating import Sampling, cases, sampling, truth
from lawcheck.judging.operating import simulate as simulate_parts
from lawcheck.judging.stats import log_ratio, run_variance, two_way_batch
from lawcheck.judging.stats.estimate import guarded
from lawcheck.judging.stats.simulation import DISCIPLINES, Cell, contrast, simulate
from lawcheck.judging.stats.two_way import skewness
from lawcheck.planning.cost import planned_cost
from lawcheck.scores import load_scores, task_places

Floats = NDArray[np.float64]
ALPHA = 0.05
GAIN = 2.0  # points; the effect whose power is shown
CLEAR = 50.0  # smallest effects: a part that is plainly true
CELLS_AT_ONCE = 40_000_000  # simulated answers held at a time
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "calibration.md"
DESIGNS = ROOT / "docs" / "calibration"
TABLES = ROOT / "results" / "reference" / "proxy" / "laws"

LEVELS = (0.05, 0.025, 0.0125)
UNEQUAL = (100, 300, 1000, 2000, 5000)
NAMED = {
    "3 seeds": Cell(seeds=3),
    "4 seeds": Cell(seeds=4),
    "5 seeds": Cell(seeds=5),
    "10 seeds": Cell(seeds=10),
    "5 seeds, items rule": Cell(seeds=5, items=200, seed_sd=0.5, item_sd=15.0),
    "5 seeds, heavy tails": Cell(seeds=5, seed_sd=2.0, tails="t3"),
    "5 seeds, 5 % collapse": Cell(seeds=5, collapse=0.05),
}
TAILS = {
    f"{s} seeds, item / seed variance {ratio:g}": Cell(
        seeds=s, items=UNEQUAL, seed_sd=0.5
    ).with_item_variance(ratio)
    for s, ratio in product((2, 3, 4, 5, 10), (0.1, 0.3, 1.0))
}
EDGES, FLIPS = ((0.0, 0.05), (0.95, 1.0)), ((0.02, 0.02), (0.98, 0.98))
TAILS |= {
    f"{s} seeds, {name}": cell
    for s in (2, 3, 5)
    for name, cell in {
        "items near 0 and near 1": Cell(seeds=s, items=300, levels=EDGES, item_sd=1.0),
        "sure items, 2 % flips": Cell(seeds=s, items=300, levels=FLIPS, seed_sd=0.0, item_sd=0.0),
        "arms share a base (r 0.95)": Cell(seeds=s, items=300, seed_sd=3.0, correlation=0.95),
        "10 % collapse": Cell(seeds=s, items=300, collapse=0.1),
    }.items()
}
# Items of a discipline's clusters; every discipline has the same.
CLUSTERS = {
    "12 of 5 to 400": (5, 7, 10, 15, 20, 30, 45, 60, 90, 140, 220, 400),
    "11 of 5, one of 400": (5,) * 11 + (400,),
    "40 of 5 to 100": tuple(np.geomspace(5, 100, 40).astype(int).tolist()),
    "12 of 20": (20,) * 12,
}
PEERS = {
    "3 seeds, 40 items": Cell(seeds=3, items=40, seed_sd=3.0, item_sd=10.0),
    "5 seeds, 40 items, items rule": Cell(seeds=5, items=40, seed_sd=0.5, item_sd=25.0),
    "10 seeds, 40 items, items rule": Cell(seeds=10, items=40, seed_sd=0.5, item_sd=25.0),
}
SD_RATIO = np.log(1.25)  # smallest effect of interest of the variance laws, in SDs


@dataclass(frozen=True)
class Rate:
    """A simulated proportion."""

    hits: int
    n: int

    def __str__(self) -> str:
        if self.n == 0:
            return "-"
        return f"{100 * self.hits / self.n:.1f}"


def rate(hits: Sequence[NDArray[np.bool_]]) -> Rate:
    return Rate(int(sum(h.sum() for h in hits)), sum(h.size for h in hits))


def batches(cell: Cell, arms: int, n: int) -> Iterator[int]:
    """Sizes of the batches of n repetitions that fit in memory."""
    at_once = max(1, CELLS_AT_ONCE // (arms * cell.seeds * sum(cell.sizes)))
    for start in range(0, n, at_once):
        yield min(at_once, n - start)


def measure(cell: Cell, n: int, rng: np.random.Generator) -> dict[str, Rate]:
    """Level and coverage under no effect, power at GAIN points; the paired t on the same data."""
    hits: dict[str, list[NDArray[np.bool_]]] = {}

    def note(name: str, found: NDArray[np.bool_]) -> None:
        hits.setdefault(name, []).append(np.atleast_1d(found))

    for size in batches(cell, 2, n):
        for effect in (0.0, GAIN):
            d = contrast(*simulate(cell, (effect, 0.0), size, rng))
            value, se, df = two_way_batch(d, alpha=(ALPHA, ALPHA / 2))
            per_seed = np.mean([x.mean(axis=-1) for x in d], axis=0)
            paired = stats.ttest_1samp(per_seed, 0.0, axis=1, alternative="greater").pvalue
            shown = value > stats.t.isf(ALPHA, df[0]) * se
            if effect:
                note("power", shown)
                note("power, paired t", paired < ALPHA)
                continue
            note("level", shown)
            note("coverage", np.abs(value) < stats.t.isf(ALPHA / 2, df[1]) * se)
            note("paired t", paired < ALPHA)
    return {name: rate(found) for name, found in hits.items()}


def tails(draw: Iterator[list[Floats]], clusters: Sequence[ArrayLike] | None = None) -> list[Rate]:
    """Rejections at each of LEVELS on contrasts of zero: both tails, the larger of the two.

    Then those of Satterthwaite's t at the last level, the items' term taken as known exactly.
    """
    sides: list[list[list[NDArray[np.bool_]]]] = [[[], []] for _ in (*LEVELS, "Satterthwaite")]
    for d in draw:
        value, se, df = two_way_batch(d, clusters=clusters, alpha=LEVELS)
        n_seeds = d[0].shape[1]
        per_seed = 100 * np.mean([x.mean(axis=-1) for x in d], axis=0)
        of_seeds = np.maximum(per_seed.var(axis=-1, ddof=1) / n_seeds, 1e-12)
        satterthwaite = (n_seeds - 1) * np.maximum(se**4 / of_seeds**2, 1.0)
        for side, level, own in zip(
            sides, (*LEVELS, LEVELS[-1]), (*df, satterthwaite), strict=True
        ):
            bound = stats.t.isf(level, own) * se
            # No variation at all is never a rejection.
            side[0].append((value > bound) & (se > 0))
            side[1].append((value < -bound) & (se > 0))
    return [max(map(rate, side), key=lambda r: r.hits) for side in sides]


def of_cell(cell: Cell, n: int, rng: np.random.Generator) -> Iterator[list[Floats]]:
    for size in batches(cell, 2, n):
        yield contrast(*simulate(cell, (0.0, 0.0), size, rng))


def of_clusters(
    sizes: Sequence[int], seeds: int, share: float, n: int, rng: np.random.Generator
) -> Iterator[list[Floats]]:
    """Differences whose items agree inside clusters (correlation `share`) and over seeds."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    for start in range(0, n, 1000):
        found = []
        size = min(1000, n - start)
        common = 0.1 * rng.standard_normal((size, seeds, 1))
        for _ in range(DISCIPLINES):
            parts = np.sqrt(share) * rng.standard_normal((size, 1, len(sizes)))
            runs = np.sqrt(share / 2) * rng.standard_normal((size, seeds, len(sizes)))
            # Of the items only their sums over a cluster matter; their noise is drawn as one.
            noise = rng.standard_normal((size, seeds, len(sizes))) / np.sqrt(sizes)
            fixed = rng.standard_normal((size, 1, len(sizes))) / np.sqrt(sizes)
            own = np.sqrt(1 - share) * (noise + fixed)
            found.append((parts + runs + own + common)[..., code])
        yield found


def scales(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Positive scales of items whose product with a normal has the distribution named."""
    kind, _, value = shape.partition(" ")
    if kind == "t":
        df = float(value)
        return np.sqrt(df / rng.chisquare(df, size))
    if kind == "Laplace":
        return np.sqrt(2 * rng.standard_exponential(size))
    if kind == "outliers":
        return np.where(rng.random(size) < 0.01, 30.0, 1.0)
    return np.ones(size)


def of_likelihoods(
    shape: str, seeds: int, items: int, of_seeds: float, n: int, rng: np.random.Generator
) -> Iterator[list[Floats]]:
    """Differences of log-likelihoods with mean 0: an item's scale multiplies its effect, which all
    seeds share, and its noise, of half that SD. of_seeds: the seeds' term of the squared error, as
    a multiple of that of normal items.

    `skewed`: effects are log-normal less their mean, so that a few items gain much.
    """
    sd = np.sqrt(of_seeds * seeds / items / DISCIPLINES)
    at_once = max(1, CELLS_AT_ONCE // (DISCIPLINES * seeds * items))
    for start in range(0, n, at_once):
        size = min(at_once, n - start)
        common = sd * rng.standard_normal((size, seeds, 1))
        found = []
        for _ in range(DISCIPLINES):
            scale = scales(shape, (size, 1, items), rng)
            effect = scale * rng.standard_normal(scale.shape)
            if shape == "skewed":
                effect = rng.lognormal(0.0, 1.0, scale.shape) - np.exp(0.5)
            noise = 0.5 * scale * rng.standard_normal((size, seeds, items))
            found.append(effect + noise + common)
        yield found


def variance_laws(
    seeds: int,
    contrasts: int,
    sides: tuple[int, int],
    correlation: float,
    tails: str,
    item_share: float,
    n: int,
    rng: np.random.Generator,
) -> list[Rate]:
    """Level, "negligible" at the smallest effect of interest, power at twice the SD, estimates.

    Last the level with S - 1 degrees of freedom.

    contrasts: over data fractions (roughness: 3) or the gain alone (spread: 1). sides: arms of
    either side, independent. correlation: between disciplines. item_share: of the controls'
    variance over seeds.
    """
    arms = sum(sides)
    noise = item_share / (1 - item_share)
    hits: list[list[bool]] = [[] for _ in range(5)]

    def draw(shape: tuple[int, ...]) -> Floats:
        if tails == "t3":
            return rng.standard_t(3, shape) / np.sqrt(3)
        return rng.standard_normal(shape)

    for _ in range(n):
        shared = draw((arms, seeds, 1, contrasts))
        own = draw((arms, seeds, DISCIPLINES, contrasts))
        run = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
        items = np.sqrt(noise) * rng.standard_normal(run.shape)
        for k, effect in enumerate((0.0, SD_RATIO, np.log(2))):
            scale = np.ones((arms, 1, 1, 1))
            scale[: sides[0]] = np.exp(effect)
            found = [run_variance(x, np.full(x.shape[1:], noise)) for x in scale * run + items]
            known = min(v.min() for v in found) > 0
            if known:
                ratio = log_ratio(found[: sides[0]], found[sides[0] :], 0.5)
                p = ratio.p_below(SD_RATIO) if k == 1 else ratio.p_above(0.0)
            hits[k].append(known and p is not None and p < ALPHA)
            if k == 0:
                hits[3].append(known)
                far = known and ratio.value > stats.t.isf(ALPHA, seeds - 1) * (ratio.se or math.inf)
                hits[4].append(far)
    return [rate([np.array(h)]) for h in hits]


def peers(cell: Cell, n: int, python: str, rng: np.random.Generator) -> list[list[str]]:
    """(method, level, studies) on the same simulated studies; slow methods see the first ones."""
    treatment, control = simulate(cell, (0.0, 0.0), n, rng)
    d = contrast(treatment, control)
    value, se, df = two_way_batch(d)
    found = {"lawcheck": (value > stats.t.isf(ALPHA, df) * se).tolist()}
    why = {}
    for name, test in HERE.items():
        found[name] = [test([x[k] for x in d], rng) for k in range(n)]
    few = {"lme4, Kenward-Roger": 20, "lme4, Satterthwaite": 4, "evalstats": 4}
    for name in AWAY:
        studies = [
            ([x[k] for x in treatment], [x[k] for x in control])
            for k in range(n // few.get(name, 1))
        ]
        found[name], why[name] = elsewhere(name, studies, python, PEER_SECONDS)
    return [
        [
            name,
            str(rate([np.array(hits, dtype=bool)])),
            "; ".join(filter(None, (f"{len(hits):,}" if hits else "", why.get(name, "")))),
        ]
        for name, hits in found.items()
    ]


def boundary(h: Hypothesis, against: bool) -> float:
    """True value at which a part is just false (or, `against`, just not contradicted)."""
    if h.margin is not None:
        return h.margin
    size = h.sesoi if against else 0.0
    return size if h.alternative == "greater" else -size


def clearly_true(h: Hypothesis) -> float:
    return {"greater": CLEAR, "less": -CLEAR, "no_gain": -CLEAR, "equivalent": 0.0}[h.alternative]


def shown(h: Hypothesis, value: Floats, se: Floats, df: Floats) -> NDArray[np.bool_]:
    """Which repetitions show the part at its own alpha. df: at that alpha, then corrected."""
    df = df[0]
    above = stats.t.sf((value + (h.margin or 0.0)) / se, df) < ALPHA
    below = stats.t.cdf((value - (h.margin or 0.0)) / se, df) < ALPHA
    if h.alternative == "equivalent":
        return above & below
    return above if h.alternative == "greater" else below


def p_against(h: Hypothesis, value: Floats, se: Floats, df: Floats) -> Floats:
    """p of whatever contradicts the part, before Holm; exact at the corrected alpha."""
    df = df[1]
    edge = boundary(h, against=True)
    if h.alternative == "greater":
        return stats.t.cdf((value - edge) / se, df)
    if h.alternative == "less":
        return stats.t.sf((value - edge) / se, df)
    above = stats.t.sf((value - edge) / se, df)
    if h.alternative == "no_gain":
        return above
    return np.minimum(1.0, 2 * np.minimum(above, stats.t.cdf((value + edge) / se, df)))


def decision(law: Law) -> tuple[list[Hypothesis], Sampling, list[str]]:
    """Cases of a law's primary parts, how they vary in its published table, and what is left out.

    Left out, which only raises both rates: parts whose variance the table does not show, and
    counted ones.
    """
    table = load_scores([TABLES / f"{law.name}.scores.parquet"])
    places = task_places(discovery.disciplines().values())
    evidence = Evidence(scores=table, places=places, law=law.name, cost=planned_cost)
    whole = cases(law)
    first = sampling(whole, evidence)
    kept = [
        h
        for h, unknown, exact in zip(whole, first.unknown, first.exact, strict=True)
        if not unknown and np.isnan(exact)
    ]
    lost = [name for name in {h.name: 0 for h in whole} if name not in {h.name for h in kept}]
    return kept, sampling(kept, evidence), lost


def far(h: Hypothesis) -> float:
    """A true value with which a part is plainly shown, as far as its alternative has one."""
    if isinstance(h.estimand, RankCorrelation):
        return math.copysign(0.999, truth(h, 1.0))
    return truth(h, 1.0 if h.alternative == "equivalent" else CLEAR)


def law_rates(law: Law, seeds: int, n: int, rng: np.random.Generator) -> list[Rate]:
    """False HOLDS with the others at their smallest effects, or plain; false CONTRADICTED.

    False HOLDS: the worst single case at the edge of its claim. Every truth is set alone, also
    where arms tie several together. Checks count as passed.
    """
    parts, found, _ = decision(law)
    # Of a jackknife, as `log_ratio` counts them.
    df = np.where(np.isnan(found.known_df), np.nan, min(max(seeds / 2, 2.0), 4.0))
    count = np.where(found.ranks, found.n_seeds, np.minimum(found.n_seeds, seeds))
    found = dataclasses.replace(found, n_seeds=count, known_df=df)
    decide = decided(Looks())

    def share(values: Sequence[float], word: str) -> Rate:
        return rate([decide(parts, simulate_parts(found, values, n, rng)) == word])

    def holds(rest: Sequence[float]) -> Rate:
        edges = [truth(h, 0.0) for h in parts]
        each = [share([*rest[:j], e, *rest[j + 1 :]], "HOLDS") for j, e in enumerate(edges)]
        return max(each, key=lambda r: r.hits)

    edge = [truth(h, 1.0 if h.margin is None else 0.0) for h in parts]
    return [
        holds([truth(h, 1.0) for h in parts]),
        holds([far(h) for h in parts]),
        share(edge, "CONTRADICTED"),
    ]


HEAD = ("design", "level", "coverage", "power", "level: paired t", "power: paired t")
ORDER = ("level", "coverage", "power", "paired t", "power, paired t")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def introduction(options: str) -> str:
    base = NAMED["5 seeds"]
    return (
        f"# Calibration\n\nMade by `python benchmarks/calibration.py --write{options}`; "
        "[statistics.md](statistics.md) has the model.\n\n"
        "Percentages; the simulation standard error of p % from n repetitions is sqrt(p (100 - p) "
        "/ n). Level: how often a contrast of zero is called a gain at a nominal "
        f"{100 * ALPHA:g} % (one-sided). Coverage: of the nominal 95 % "
        f"interval. Power: how often a gain of {GAIN:g} points is shown. The paired t takes the "
        f"items as fixed. Unless its name says otherwise a design has {base.items} items in "
        f"each of five disciplines, a seed SD of {base.seed_sd:g} point of the average, a "
        f"correlation of {base.correlation:g} between arms of one seed and item effects of "
        f"{base.item_sd:g} points."
    )


def named(n: int, seed: int) -> str:
    rows = []
    for k, (name, cell) in enumerate(NAMED.items()):
        found = measure(cell, n, np.random.default_rng([seed, 1, k]))
        rows.append(line(name, *(found[c] for c in ORDER)))
    return f"## Named designs\n\n{n:,} repetitions each.\n\n{table(HEAD, rows)}"


def keep(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], write: bool) -> None:
    """Every design of a section, of which the page shows extremes."""
    if write:
        write_text(DESIGNS / f"{name}.csv", pd.DataFrame(rows, columns=columns).to_csv(index=False))


def worst(
    rows: Sequence[Sequence[str]], group: Callable[[str], str], least: Sequence[int] = ()
) -> list[list[str]]:
    """Over the designs of a group: the largest of every rate, the smallest of those in `least`."""
    groups: dict[str, list[list[float]]] = {}
    for name, *cells in rows:
        groups.setdefault(group(name), []).append([float(c) for c in cells])
    return [
        [name]
        + [
            f"{min(x) if k in least else max(x):.1f}"
            for k, x in enumerate(zip(*found, strict=True))
        ]
        for name, found in groups.items()
    ]


def all_tails(n: int, seed: int, write: bool) -> str:
    rows = [
        line(name, *tails(of_cell(cell, n, np.random.default_rng([seed, 2, k]))))
        for k, (name, cell) in enumerate(TAILS.items())
    ]
    keep("tails", NOMINAL, rows, write)
    return tails_section(rows, n)


def tails_section(rows: Sequence[Sequence[str]], n: int) -> str:
    def group(name: str) -> str:
        seeds, _, what = name.partition(", ")
        of_items = what.startswith("item / seed")
        return f"{seeds}, item / seed variance 0.1 to 1" if of_items else f"2 to 5 seeds, {what}"

    return (
        f"## Tails\n\nLevel of the worse of the two tails, {n:,} repetitions each; the worst of "
        "the designs of a line ([every design](calibration/tails.csv)). Item / seed variance: of "
        f"the two terms of the squared error, with {', '.join(map(str, UNEQUAL))} items in the "
        "five disciplines. Last, Satterthwaite's degrees of freedom on the same standard error."
        f"\n\n{table(NOMINAL, worst(rows, group))}"
    )


def all_clusters(n: int, seed: int, write: bool) -> str:
    rows = []
    for k, ((name, sizes), seeds, share) in enumerate(
        product(CLUSTERS.items(), (3, 5, 10), (0.05, 0.5))
    ):
        labels = [np.repeat(np.arange(len(sizes)), sizes)] * DISCIPLINES
        draw = of_clusters(sizes, seeds, share, n, np.random.default_rng([seed, 3, k]))
        rows.append(line(f"{name}, {seeds} seeds, r {share:g}", *tails(draw, labels)))
    keep("clusters", NOMINAL, rows, write)
    return clusters_section(rows, n)


def clusters_section(rows: Sequence[Sequence[str]], n: int) -> str:
    return (
        f"## Clusters of items\n\nAs above, {n:,} repetitions; the worst of 3, 5 and 10 seeds and "
        "of a correlation of the answers' differences inside a cluster of 0.05 and 0.5 "
        "([every design](calibration/clusters.csv)).\n\n"
        f"{table(NOMINAL, worst(rows, lambda name: name.rsplit(', ', 2)[0]))}"
    )


def likelihood_levels(draw: Iterator[list[Floats]]) -> list[Rate]:
    """Rejections at each of LEVELS, the larger of both tails: as judged, then without the guard."""
    sides: list[list[list[NDArray[np.bool_]]]] = [[[], []] for _ in range(2 * len(LEVELS))]
    share = np.full(DISCIPLINES, 1 / DISCIPLINES)
    for d in draw:
        value, se, df = two_way_batch(d, alpha=LEVELS)
        skew, t = skewness(d, share, [None] * DISCIPLINES, (se / 100) ** 2), value / se
        kept = [(guarded(t, skew), guarded(-t, -skew)), (t, -t)]
        for side, (statistics, (level, own)) in zip(
            sides, product(kept, zip(LEVELS, df, strict=True)), strict=True
        ):
            for found, statistic in zip(side, statistics, strict=True):
                found.append(statistic > stats.t.isf(level, own))
    return [max(map(rate, side), key=lambda r: r.hits) for side in sides]


def all_likelihoods(n: int, seed: int, write: bool) -> str:
    rows = []
    designs = product(LIKELY, (100, 400), (0.1, 1.0), (3, 5, 10))
    for k, (shape, items, of_seeds, seeds) in enumerate(designs):
        rng = np.random.default_rng([seed, 8, k])
        found = likelihood_levels(of_likelihoods(shape, seeds, items, of_seeds, n, rng))
        rows.append(line(f"{shape}, {items} items, {of_seeds:g}, {seeds} seeds", *found))
    keep("likelihoods", GUARDED, rows, write)
    return likelihoods_section(rows, n)


def likelihoods_section(rows: Sequence[Sequence[str]], n: int) -> str:
    return (
        f"## Likelihoods of items\n\nContrasts of zero between log-likelihoods, {n:,} repetitions: "
        "the worse of the two tails, and the worst of 3, 5 and 10 seeds and of a seeds' term of "
        "0.1 and 1 times that of normal items "
        "([every design](calibration/likelihoods.csv)). An item's "
        "scale multiplies its effect and its noise. t: Student's, of that many degrees of freedom. "
        "Outliers: 1 % of the items at 30 times the scale. Skewed: log-normal effects less their "
        "mean, so that a few items gain much and most lose a little. Last three: without the "
        "guard against skewness, as accuracies are judged."
        f"\n\n{table(GUARDED, worst(rows, lambda name: name.rsplit(', ', 2)[0]))}"
    )


def all_variance_laws(n: int, seed: int, write: bool) -> str:
    rows = []
    designs = product(
        (("roughness", 3), ("spread", 1)), ((2, 1), (1, 2)), (3, 5, 10), VARIED, (0.0, 0.5)
    )
    for k, ((name, contrasts), sides, seeds, (r, shape), share) in enumerate(designs):
        rng = np.random.default_rng([seed, 4, k])
        found = variance_laws(seeds, contrasts, sides, r, shape, share, n, rng)
        title = f"{name}, {sides[0]} to {sides[1]} arms, {seeds} seeds, r {r:g}, {shape}, {share:g}"
        rows.append(line(title, *found))
    keep("variance", VARIANCE, rows, write)
    return variance_section(rows, n)


def variance_section(rows: Sequence[Sequence[str]], n: int) -> str:
    return (
        f"## Variance laws\n\n{n:,} repetitions. Ratios of SDs. The worst of six designs each (the "
        "largest level, the smallest power): a correlation of the disciplines of 0 and 0.9, normal "
        "runs and t3 (infinite kurtosis), items with no share or half of the controls' variance "
        "over seeds ([every design](calibration/variance.csv)). S - 1: those degrees of freedom "
        "in place of S / 2 from 2 to 4. Arms are independent; studies without an "
        "estimate stay open and count in every rate."
        f"\n\n{table(VARIANCE, worst(rows, lambda name: name.rsplit(', ', 3)[0], least=(2, 3)))}"
    )


def all_peers(n: int, python: str, seed: int) -> str:
    text = [
        "## Other tests on the same data\n\nLevel at a nominal 5 %, one-sided. "
        "`benchmarks/calibration_peers.py` holds how each is run; slow ones see the first studies "
        f"only, for at most {PEER_SECONDS:g} s a design."
    ]
    for k, (name, cell) in enumerate(PEERS.items()):
        rows = peers(cell, n, python, np.random.default_rng([seed, 5, k]))
        for row in rows:
            line(name, *row)
        text.append(f"{name}, seed SD {cell.seed_sd:g}, item effects of {cell.item_sd:g} points:")
        text.append(table(("method", "level", "studies"), rows))
    return "\n\n".join(text)


def all_laws(n: int, seed: int) -> str:
    rows, lost = [], {}
    for k, (name, law) in enumerate(sorted(discovery.laws().items())):
        if not (TABLES / f"{name}.scores.parquet").is_file():
            continue
        lost[name] = decision(law)[2]
        for seeds in (3, 5):
            found = law_rates(law, seeds, n, np.random.default_rng([seed, 7, k, seeds]))
            rows.append(line(f"{name}, {seeds} seeds", *found))
    left = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in lost.items() if parts)
    head = ("law", "false HOLDS", "false HOLDS, others plain", "false CONTRADICTED")
    return (
        f"## Laws\n\n{n:,} simulated estimates of the primary parts and their conjuncts, with the "
        f"variances and correlations of the published tables (`judging.operating`), decided as a "
        "law is. False HOLDS: the worst case at the edge of its claim, the others at their "
        "smallest effect, or plainly true. False CONTRADICTED: every case at its smallest effect, "
        "or at its margin. Checks count as passed; left out as shown, since counted or without a "
        f"variance: "
        f"{left}.\n\n{table(head, rows)}"
    )


LIKELY = ("normal", "t 2.5", "t 3", "Laplace", "outliers", "skewed")
GUARDED = ("design", "5 %", "2.5 %", "1.25 %", "5 %, plain", "2.5 %, plain", "1.25 %, plain")
NOMINAL = ("design", "5 %", "2.5 %", "1.25 %", "1.25 %, Satterthwaite")
VARIANCE = (
    "design",
    "level",
    "negligible at 1.25",
    "power at 2",
    "with an estimate",
    "level, S - 1",
)
VARIED = ((0.0, "normal"), (0.9, "normal"), (0.9, "t3"))
# Repetitions of each section: whole, and --quick.
SECTIONS: dict[str, tuple[int, int]] = {
    "named": (10_000, 500),
    "tails": (10_000, 300),
    "clusters": (4000, 300),
    "likelihoods": (2500, 100),
    "variance": (2000, 30),
    "peers": (1600, 40),
    "laws": (20_000, 1000),
}
PEER_SECONDS = 60.0  # for one peer on one design


def line(*cells: object) -> list[str]:
    row = [str(c) for c in cells]
    print(" | ".join(row), flush=True)
    return row


def with_section(page: str, text: str) -> str:
    """The page with one section replaced, or at its end."""
    parts = page.strip().split("\n\n## ")
    title = text.removeprefix("## ").split("\n")[0]
    at = next((k for k, p in enumerate(parts) if p.split("\n")[0] == title), len(parts))
    parts[at : at + 1] = [text.removeprefix("## ").strip()]
    return "\n\n## ".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--write", action="store_true", help="write docs/calibration.md")
    parser.add_argument(
        "--only", choices=sorted(SECTIONS), help="one section; the page keeps the others"
    )
    parser.add_argument("--peers-python", default=sys.executable, help="has evalstats, baycomp")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    repetitions = {name: n[options.quick] for name, n in SECTIONS.items()}
    sections = {
        "named": lambda n: named(n, options.seed),
        "tails": lambda n: all_tails(n, options.seed, options.write),
        "clusters": lambda n: all_clusters(n, options.seed, options.write),
        "likelihoods": lambda n: all_likelihoods(n, options.seed, options.write),
        "variance": lambda n: all_variance_laws(n, options.seed, options.write),
        "peers": lambda n: all_peers(n, options.peers_python, options.seed),
        "laws": lambda n: all_laws(n, options.seed),
    }
    # Two equal seeds leave scipy's t a variance of 0 or nearly.
    warnings.simplefilter("ignore", RuntimeWarning)
    began = time.process_time()
    chosen = [options.only] if options.only else list(sections)
    text = [sections[name](repetitions[name]) for name in chosen]
    print(f"{time.process_time() - began:.0f} CPU seconds")
    if options.write and options.only:
        write_text(PAGE, with_section(PAGE.read_text(encoding="utf-8"), text[0]))
        print(f"wrote {PAGE.name}: {options.only}")
    elif options.write:
        how = "".join([" --quick"] * options.quick) + (
            f" --seed {options.seed}" if options.seed != 1 else ""
        )
        write_text(PAGE, "\n\n".join([introduction(how), *text]) + "\n")
        print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
