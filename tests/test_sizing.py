"""Study sizes: they have the power they promise, and hardly move with the seeds of the pilot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Cost, Hypothesis, RelativeGain, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.sizing import Design, Sizing, Variance, measured, sizing, together, variances
from lawcheck.judging.stats import paired_t, two_way_batch
from lawcheck.judging.stats.components import components
from lawcheck.scores import load_scores, task_places

A, B, C = (Arm(method=m) for m in "abc")
TABLES = Path(__file__).parent.parent / "results" / "reference" / "proxy" / "laws"


def part(name="gain", estimand=None, alternative="greater", sesoi=1.0, margin=None):
    return Hypothesis(
        name=name,
        role="primary",
        claim=name,
        estimand=estimand or difference([A], [B]),
        alternative=alternative,
        sesoi=sesoi,
        margin=margin,
    )


def variance(**changes):
    given = {"runs": 1.0, "residual": 1200.0, "items": 500.0, "df": 8.0, "n_seeds": 5}
    return Variance(**given | {"n_items": 2500, "strata": 1} | changes)


@pytest.mark.parametrize("alternative", ["greater", "equivalent"])
def test_every_design_has_the_power_it_promises(alternative):
    """Simulated items of the planned number, judged by the guarded two-way t."""
    h = part(alternative=alternative, margin=2.0 if alternative == "equivalent" else None)
    v = variance(residual=240.0, items=100.0, n_items=500)
    found = sizing(h, v)
    assert len(found.designs) == 2
    rng = np.random.default_rng(17)
    for d in found.designs:
        n, powers = 250, []
        for _ in range(6):
            x = (
                (0.0 if h.margin else h.goal)
                + rng.normal(0, np.sqrt(v.runs), (n, d.seeds, 1))
                + rng.normal(0, np.sqrt(v.items), (n, 1, d.items))
                + rng.normal(0, np.sqrt(v.residual), (n, d.seeds, d.items))
            )
            value, se, df = two_way_batch([x / 100])
            t = np.array([special.stdtrit(k, 0.95) for k in df])
            if h.margin:
                powers.append(np.mean(np.abs(value) + t * se < h.margin))
            else:
                powers.append(np.mean(value > t * se))
        assert np.mean(powers) == pytest.approx(0.8, abs=0.05)


def test_fewer_seeds_ask_for_more_items_and_more_power_costs():
    found = sizing(part(), variance())
    few, many = found.designs
    assert few.seeds < many.seeds
    assert few.items > many.items
    assert found.fewest <= few.seeds <= found.most
    harder = sizing(part(), variance(), alpha=0.0125)
    assert harder.designs[0].seeds > few.seeds
    assert sizing(part(), variance(runs=5000.0)) is None
    assert sizing(part(sesoi=0.0), variance()) is None
    text = Sizing(designs=(Design(5, 1900), Design(14, 600)), fewest=3, most=9, power=0.5).text
    assert text == "5 seeds x 1,900 items, or 14 x 600"
    seeds_only = sizing(part(), variance(residual=0.0, items=0.0, n_items=0))
    assert [d.items for d in seeds_only.designs] == [None]


def test_together_every_part_has_its_share_of_the_power():
    one, two = (part("a"), variance()), (part("b"), variance(runs=2.0, strata=5))
    few, many = together([one, two])
    assert few.seeds < many.seeds
    for h, v in (one, two):
        alone = sizing(h, v)
        assert few.seeds >= alone.designs[0].seeds
        # Items of one task: the second part spreads its own over five.
        total = few.items * v.strata
        se2 = (v.runs + v.residual / total) / few.seeds + v.items / total
        assert stats.norm.sf(1.645 - 1 / np.sqrt(se2)) > 0.9
    assert together([one, (part("c"), variance(runs=5000.0))]) == ()
    assert together([]) == ()


def test_variances_lean_on_their_kind():
    """The formula by hand: mean log variance of two parts, four degrees of freedom of its own."""
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.5, -0.5])
    family = [(part("x", RelativeGain(arm=A, reference=B)), paired_t(x)),
              (part("y", RelativeGain(arm=A, reference=C)), paired_t(y))]  # fmt: skip
    found = variances(family)
    # E log(chi2_2 / 2) = digamma(1) = -Euler's constant.
    level = np.exp(np.log([x.var(ddof=1), 0.25]).mean() + np.euler_gamma)
    assert found["x"].runs == pytest.approx((4 * level + 2 * x.var(ddof=1)) / 6)
    assert (found["x"].df, found["x"].n_items) == (6, 0)
    alone = variances(family[:1])["x"]
    assert (alone.runs, alone.df) == pytest.approx((x.var(ddof=1), 2))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_order_and_scale_change_nothing(seed, order):
    rng = np.random.default_rng(seed)
    cubes = [[rng.normal(0, 0.3, (4, 40)) + rng.normal(0, 0.02, (4, 1))] for _ in range(4)]
    parts = [(part(f"p{k}"), components(c)) for k, c in enumerate(cubes)]
    found, again = variances(parts), variances([parts[k] for k in order])
    for name, v in found.items():
        assert (v.runs, v.items) == pytest.approx((again[name].runs, again[name].items))
    doubled = variances(
        [(h, components([2 * d for d in c])) for (h, _), c in zip(parts, cubes, strict=True)]
    )
    assert doubled["p0"].runs == pytest.approx(4 * found["p0"].runs)
    assert doubled["p0"].items == pytest.approx(4 * found["p0"].items)


class FirstSeeds(Evidence):
    """The first seeds of a table."""

    n = 5

    def common_seeds(self, arms, tasks, metric=None):
        seeds, notes = super().common_seeds(arms, tasks, metric)
        return seeds[: self.n], notes


def test_three_four_and_five_seeds_of_the_published_tables_give_like_answers():
    """Seeds of the first design: within a factor of 2 in most parts, of 3 in all; items of 2.5."""
    places = task_places(discovery.disciplines().values())
    seeds_moved, items_moved = [], []
    for path in sorted(TABLES.glob("*.scores.parquet")):
        law = discovery.laws()[path.name.split(".")[0]]
        scores = load_scores([path])
        answers: dict[str, list[Design]] = {}
        for n in (3, 4, 5):
            evidence = type("First", (FirstSeeds,), {"n": n})(scores=scores, places=places)
            # Ranks, costs and the four roughness parts, whose runs differ by no more than their
            # items, have no variance to plan with.
            parts = [
                (h, measured(h, evidence))
                for h in law.hypotheses
                if not isinstance(h.estimand, RankCorrelation | Cost)
            ]
            known = variances(parts)
            for h, _ in parts:
                if h.name in known:
                    answers.setdefault(h.name, []).append(sizing(h, known[h.name]).designs[0])
        for designs in answers.values():
            seeds = [d.seeds for d in designs]
            seeds_moved.append(max(seeds) / min(seeds))
            if designs[0].items:
                items = [d.items for d in designs]
                items_moved.append(max(items) / min(items))
    assert len(seeds_moved) == 41
    assert np.mean(np.array(seeds_moved) <= 2) > 0.85
    assert max(seeds_moved) <= 3
    assert max(items_moved) <= 2.5
