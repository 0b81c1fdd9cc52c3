"""Specifications change what they say and nothing else; agreement is counted."""

from __future__ import annotations

import numpy as np
import pytest
from score_world import PLACES, columns, table

from lawcheck.declare.design import Arm, Hypothesis, Recipe, difference
from lawcheck.declare.estimands import RoughnessRatio
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.multiverse import Specification, multiverse, usual
from lawcheck.scores import TaskPlace

A, B = Arm(method="a"), Arm(method="b")
H = Hypothesis(
    name="gain",
    role="primary",
    claim="a beats b",
    estimand=difference([A], [B]),
    alternative="greater",
    sesoi=1.0,
)
TASKS = ("biology", "math", "medicine")


def unequal(sizes=(400, 100, 100), wins=(0.2, -0.1, -0.1), diverged=()):
    """Scores whose contrast differs from discipline to discipline, of unequal size."""
    rows: dict[str, list] = {}
    for task, n, gain in zip(TASKS, sizes, wins, strict=True):
        for arm, p in ((A, 0.5 + gain), (B, 0.5)):
            more = columns({arm: p}, 4, n, tasks=(task,), rng_seed=n + len(arm.name))
            for name, values in more.items():
                rows.setdefault(name, []).extend(values)
    for arm, seed in diverged:
        for name, value in {
            "run_id": f"{arm}-s{seed}", "arm": arm, "seed": seed, "task": "math",
            "item_id": "run", "cluster": "", "metric": "diverged", "value": 1.0,
        }.items():  # fmt: skip
            rows[name].append(value)
    return Evidence(scores=table(rows), places=PLACES)


def value(h, evidence):
    return estimate(h.estimand, evidence).estimate.value


def sign(h, evidence):
    return "gain" if value(h, evidence) > 0 else "loss"


def test_what_each_specification_reads():
    evidence = unequal()
    each = {t: value(_targeting(t), evidence) for t in TASKS}
    sizes = np.array([400, 100, 100])
    main = np.array([each[t] for t in TASKS])
    less = Specification(name="no biology", without=("biology",))
    pooled = Specification(name="pooled", pooling="items")
    assert value(H, evidence) == pytest.approx(main.mean())
    assert value(H, less.on(evidence)) == pytest.approx(main[1:].mean())
    assert value(H, pooled.on(evidence)) == pytest.approx((sizes * main).sum() / 600)
    assert value(H, Specification(name="same").on(evidence)) == value(H, evidence)


def _targeting(task):
    h = difference([A], [B], target=task)
    return Hypothesis(
        name="one", role="primary", claim="c", estimand=h, alternative="greater", sesoi=1.0
    )


def test_agreement_of_the_usual_specifications():
    evidence = unequal()
    specifications = usual(H, evidence)
    assert [s.name for s in specifications] == [
        "without biology",
        "without math",
        "without medicine",
        "items pooled",
    ]
    found = multiverse(H, evidence, specifications, sign)
    wanted = [sign(H, s.on(evidence)) for s in specifications]
    assert [outcome for _, outcome in found.outcomes] == wanted
    assert dict(found.outcomes)["without biology"] == "loss"
    assert dict(found.outcomes)["items pooled"] == "gain"
    assert found.share == pytest.approx(np.mean([w == found.main for w in wanted]))
    # Equal sizes: pooling items is the main choice again.
    assert "items pooled" not in [s.name for s in usual(H, unequal(sizes=(100, 100, 100)))]
    assert usual(_targeting("math"), evidence) == ()
    assert multiverse(H, evidence, (), sign).share is None


def test_diverged_seeds_leave():
    evidence = unequal(diverged=[("a", 2)])
    assert evidence.scores.diverged
    (out,) = [s for s in usual(H, evidence) if not s.diverged]
    assert estimate(H.estimand, out.on(evidence)).estimate.n_seeds == 3
    everything = unequal(diverged=[("a", s) for s in range(4)])
    found = multiverse(H, everything, [out], sign)
    assert found.outcomes == ()
    assert "every seed has a diverged run" in found.failed[0][1]


def test_settings_of_the_estimand():
    curves = [
        tuple(Arm(method=m, recipe=Recipe(fraction=f)) for f in (0.1, 0.3, 0.5, 1.0)) for m in "ab"
    ]
    rough = Hypothesis(
        name="rough",
        role="primary",
        claim="c",
        estimand=RoughnessRatio(treatments=curves[:1], controls=curves[1:]),
        alternative="greater",
        sesoi=0.2,
    )
    only = Specification(name="math alone", settings=(("disciplines", ("math",)),))
    assert only.of(rough).estimand.disciplines == ("math",)
    assert rough.estimand.disciplines is None
    with pytest.raises(InputError, match=r"has no field 'detrend'; name one of .*controls"):
        Specification(name="x", settings=(("detrend", "quadratic"),)).of(rough)
    with pytest.raises(InputError, match="'x' stands twice"):
        multiverse(H, unequal(), [Specification(name="x")] * 2, sign)


def test_bases_and_roles_stay():
    """What a specification does not name is as in the main evidence."""
    evidence = Evidence(
        scores=unequal().scores,
        places={t: TaskPlace(t, "average") for t in TASKS},
        bases=dict.fromkeys(range(4), "one"),
        seed=7,
    )
    seen = Specification(name="same").on(evidence)
    assert (seen.bases, seen.places, seen.seed) == (evidence.bases, evidence.places, 7)
    assert estimate(H.estimand, seen).notes == estimate(H.estimand, evidence).notes
