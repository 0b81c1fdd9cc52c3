"""Error rates of the judge on simulated scores, beside the usual alternatives.

    python benchmarks/calibration.py --quick            a few minutes: does anything look wrong?
    python benchmarks/calibration.py --write            the table of docs/calibration.md

Every method sees the same data. Rates are percentages with their standard error; the nominal
level is 5 % one-sided, the nominal coverage 95 %. One thread, no files but the page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lawcheck.declare import discovery
from lawcheck.declare.design import Contrast, Hypothesis, Law
from lawcheck.files.atomic import write_text
from lawcheck.judging.stats import two_way_batch
from lawcheck.judging.stats.simulation import Cell, contrast, simulate

Floats = NDArray[np.float64]
ALPHA = 0.05
GAIN = 2.0  # points; the effect whose power is shown
CLEAR = 6.0  # points beyond its boundary: a part that is plainly true
CELLS_AT_ONCE = 40_000_000  # simulated answers held at a time
PAGE = Path(__file__).resolve().parents[1] / "docs" / "calibration.md"

NAMED = {
    "3 seeds": Cell(seeds=3),
    "4 seeds": Cell(seeds=4),
    "5 seeds": Cell(seeds=5),
    "10 seeds": Cell(seeds=10),
    "5 seeds, items rule": Cell(seeds=5, items=200, seed_sd=0.5, item_sd=15.0),
    "5 seeds, heavy tails": Cell(seeds=5, seed_sd=2.0, tails="t3"),
    "5 seeds, 5 % collapse": Cell(seeds=5, collapse=0.05),
}
GRID = {
    f"{s} seeds, {i} items, SD {sd:g}, r {r:g}": Cell(seeds=s, items=i, seed_sd=sd, correlation=r)
    for s, i, sd, r in product((3, 4, 5, 10), (200, 1000, 4000), (0.5, 1.0, 3.0), (0.0, 0.4, 0.8))
}
# Small noise: the parts that are plainly true are then almost always shown, the worst case.
LAW_CELL = Cell(seeds=5, items=1000, seed_sd=0.3, item_sd=2.0)


@dataclass(frozen=True)
class Rate:
    """A simulated proportion."""

    hits: int
    n: int

    def __str__(self) -> str:
        if self.n == 0:
            return "-"
        p = self.hits / self.n
        return f"{100 * p:.1f} ± {100 * np.sqrt(p * (1 - p) / self.n):.1f}"


def rate(hits: Sequence[NDArray[np.bool_]]) -> Rate:
    return Rate(int(sum(h.sum() for h in hits)), sum(h.size for h in hits))


def batches(cell: Cell, arms: int, n: int) -> Iterator[int]:
    """Sizes of the batches of n repetitions that fit in memory."""
    at_once = max(1, CELLS_AT_ONCE // (arms * cell.seeds * cell.items * 5))
    for start in range(0, n, at_once):
        yield min(at_once, n - start)


def bootstrap_counts(seeds: int, rng: np.random.Generator, n: int = 2000) -> NDArray[np.float64]:
    """(n, seeds) weights of percentile-bootstrap samples of the seeds."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=n) / seeds


def rliable_low(differences: NDArray[np.float64]) -> float:
    """Lower end of rliable's 90 % stratified-bootstrap interval. differences: (seeds, 5)."""
    library = _rliable()
    _, intervals = library.get_interval_estimates(
        {"d": differences},
        lambda x: np.array([x.mean()]),
        reps=500,
        confidence_interval_size=1 - 2 * ALPHA,
    )
    return float(intervals["d"][0, 0])


def _rliable() -> ModuleType:
    """rliable.library; arch, below it, calls a private pandas decorator as pandas 2 had it."""
    if "rliable.library" not in sys.modules:
        from pandas.util import _decorators

        kept = _decorators.deprecate_kwarg
        _decorators.deprecate_kwarg = lambda *names, **options: lambda function: function
        try:
            import rliable.library  # noqa: F401
        finally:
            _decorators.deprecate_kwarg = kept
    return sys.modules["rliable.library"]


def measure(cell: Cell, n: int, n_rliable: int, rng: np.random.Generator) -> dict[str, Rate]:
    """Level and coverage under no effect, power at GAIN points."""
    hits: dict[str, list[NDArray[np.bool_]]] = {}

    def note(name: str, found: NDArray[np.bool_]) -> None:
        hits.setdefault(name, []).append(np.atleast_1d(found))

    weights = bootstrap_counts(cell.seeds, rng)
    left = n_rliable
    for size in batches(cell, 2, n):
        for effect in (0.0, GAIN):
            d = contrast(*simulate(cell, (effect, 0.0), size, rng))
            value, se, df = two_way_batch(d)
            by_task = 100 * np.stack([x.mean(axis=-1) for x in d], axis=-1)
            per_seed = by_task.mean(axis=-1)
            paired = stats.ttest_1samp(per_seed, 0.0, axis=1, alternative="greater").pvalue
            if effect:
                note("power", stats.t.sf(value / se, df) < ALPHA)
                note("power, paired t", paired < ALPHA)
                continue
            note("level", stats.t.sf(value / se, df) < ALPHA)
            note("coverage", np.abs(value) < stats.t.isf(ALPHA / 2, df) * se)
            note("paired t", paired < ALPHA)
            low = np.quantile(per_seed @ weights.T, ALPHA, axis=1)
            note("bootstrap", low > 0)
            for k in range(min(left, size)):
                note("rliable", np.array(rliable_low(by_task[k]) > 0))
            left -= min(left, size)
    return {name: rate(found) for name, found in hits.items()}


def boundary(h: Hypothesis, against: bool) -> float:
    """True value at which a part is just false (or, `against`, just not contradicted)."""
    if h.margin is not None:
        return h.margin
    size = h.sesoi if against else 0.0
    return size if h.alternative == "greater" else -size


def clearly_true(h: Hypothesis) -> float:
    return {"greater": CLEAR, "less": -CLEAR, "no_gain": -CLEAR, "equivalent": 0.0}[h.alternative]


def shown(h: Hypothesis, value: Floats, se: Floats, df: Floats) -> NDArray[np.bool_]:
    """Which repetitions show the part at its own alpha."""
    above = stats.t.sf((value + (h.margin or 0.0)) / se, df) < ALPHA
    below = stats.t.cdf((value - (h.margin or 0.0)) / se, df) < ALPHA
    if h.alternative == "equivalent":
        return above & below
    return above if h.alternative == "greater" else below


def p_against(h: Hypothesis, value: Floats, se: Floats, df: Floats) -> Floats:
    """p of whatever contradicts the part, before Holm."""
    edge = boundary(h, against=True)
    if h.alternative == "greater":
        return stats.t.cdf((value - edge) / se, df)
    if h.alternative == "less":
        return stats.t.sf((value - edge) / se, df)
    above = stats.t.sf((value - edge) / se, df)
    if h.alternative == "no_gain":
        return above
    return np.minimum(1.0, 2 * np.minimum(above, stats.t.cdf((value + edge) / se, df)))


def law_rates(law: Law, n: int, rng: np.random.Generator) -> tuple[Rate, Rate] | None:
    """(false HOLDS, false CONTRADICTED) over the law's primary accuracy contrasts.

    False HOLDS: the worst single part on its boundary, all others plainly true. False
    CONTRADICTED: every part where it just escapes contradiction. Other kinds of parts are taken
    as shown, and arms as beating the base: both can only raise the rates.
    """
    parts = [h for h in law.hypotheses if h.role == "primary" and isinstance(h.estimand, Contrast)]
    arms = list(dict.fromkeys(a for h in parts for a in h.estimand.arms))
    if not parts:
        return None
    weights = np.array([[dict(h.estimand.weights).get(a, 0.0) for a in arms] for h in parts])

    def outcomes(wanted: list[float]) -> Iterator[list[tuple[Floats, Floats, Floats]]]:
        effects = np.linalg.pinv(weights) @ wanted
        if not np.allclose(weights @ effects, wanted, atol=1e-9):
            return
        for size in batches(LAW_CELL, len(arms), n):
            correct = simulate(LAW_CELL, effects.tolist(), size, rng)
            yield [
                two_way_batch(
                    [
                        sum(w * np.asarray(correct[a][d], float) for a, w in enumerate(row) if w)
                        for d in range(5)
                    ]
                )
                for row in weights
            ]

    holds = []
    for j in range(len(parts)):
        wanted = [
            boundary(h, against=False) if k == j else clearly_true(h) for k, h in enumerate(parts)
        ]
        found = [
            np.all([shown(h, *r) for h, r in zip(parts, result, strict=True)], axis=0)
            for result in outcomes(wanted)
        ]
        holds += [rate(found)] if found else []
    against = [
        np.min([p_against(h, *r) for h, r in zip(parts, result, strict=True)], axis=0)
        < ALPHA / len(parts)
        for result in outcomes([boundary(h, against=True) for h in parts])
    ]
    worst = max(holds, key=lambda r: r.hits / r.n, default=Rate(0, 0))
    return worst, rate(against) if against else Rate(0, 0)


HEAD = (
    "design", "level", "coverage", "power", "level: paired t", "bootstrap", "rliable",
    "power: paired t",
)  # fmt: skip
ORDER = ("level", "coverage", "power", "paired t", "bootstrap", "rliable", "power, paired t")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def introduction(options: str) -> str:
    base = NAMED["5 seeds"]
    return (
        f"# Calibration\n\nMade by `python benchmarks/calibration.py --write{options}`; "
        "[statistics.md](statistics.md) has the model.\n\n"
        "Percentages with their simulation standard error. Level: how often a contrast of zero is "
        f"called a gain at a nominal {100 * ALPHA:g} % (one-sided). Coverage: of the nominal 95 % "
        f"interval. Power: how often a gain of {GAIN:g} points is shown. The columns after the "
        "third are other methods on the same data: the paired t over seeds (items taken as "
        "fixed), the percentile bootstrap over seeds, and rliable's stratified bootstrap interval "
        "at the same level (it ignores its seed: that column repeats only within error). Unless "
        f"its name says otherwise a design has {base.items} items in "
        f"each of five disciplines, a seed SD of {base.seed_sd:g} point of the average, a "
        f"correlation of {base.correlation:g} between arms of one seed and item effects of "
        f"{base.item_sd:g} points."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few repetitions, no grid")
    parser.add_argument("--write", action="store_true", help="write docs/calibration.md")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    n_named, n_grid, n_law, n_rliable = (
        (1000, 0, 500, 100) if options.quick else (20_000, 2000, 2000, 2000)
    )
    began = time.process_time()
    sections = []
    for title, cells, n, n_r in (
        ("Named designs", NAMED, n_named, n_rliable),
        ("Grid", GRID, n_grid, 0),
    ):
        rows = []
        for k, (name, cell) in enumerate(cells.items() if n else ()):
            rng = np.random.default_rng([options.seed, n, k])
            found = measure(cell, n, n_r, rng)
            rows.append([name, *(str(found.get(c, Rate(0, 0))) for c in ORDER)])
            print(" | ".join(rows[-1]), flush=True)
        if rows:
            sections.append(f"## {title}\n\n{n:,} repetitions each.\n\n{table(HEAD, rows)}")
    rows = []
    for k, (name, law) in enumerate(sorted(discovery.laws().items())):
        found_law = law_rates(law, n_law, np.random.default_rng([options.seed, 7, k]))
        if found_law is not None:
            rows.append([name, *map(str, found_law)])
            print(" | ".join(rows[-1]), flush=True)
    head = ("law", "false HOLDS", "false CONTRADICTED")
    sections.append(
        f"## Laws\n\n{n_law:,} repetitions a part, {LAW_CELL.seeds} seeds, {LAW_CELL.items} items "
        f"a discipline. A law's accuracy parts only; the others count as shown.\n\n"
        f"{table(head, rows)}"
    )
    seconds = time.process_time() - began
    print(f"{seconds:.0f} CPU seconds")
    if options.write:
        how = "".join([" --quick"] * options.quick) + (
            f" --seed {options.seed}" if options.seed != 1 else ""
        )
        write_text(PAGE, "\n\n".join([introduction(how), *sections]) + "\n")
        print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
