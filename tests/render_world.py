"""A synthetic score table and verdict of any law, shared by the rendering tests."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from lawcheck.declare.design import (
    Arm,
    Discipline,
    EvalTask,
    Law,
    PartVerdict,
    Recipe,
    Verdict,
    World,
)
from lawcheck.scores import DISTINCT, ROUTING, ScoreTable, check
from lawcheck.scores.files import SCHEMA
from lawcheck.show import RenderContext
from lawcheck.studies.discipline_laws.laws.share_then_specialize import LAW

SCIENCE = ("math", "chemistry", "biology", "medicine", "geography")
SHORT = dict(zip(SCIENCE, ("Math", "Chem", "Bio", "Med", "Geo"), strict=True))
EXPERTS = 5
ROUTED = ("lora_moe", "lora_comp")


def disciplines() -> tuple[Discipline, ...]:
    roles = {**dict.fromkeys(SCIENCE, "discipline"), "general": "general"}
    roles["out_of_domain"] = "out_of_domain"
    return tuple(
        Discipline(
            name=name,
            title=name.title().replace("_", " "),
            role=role,
            rows=1,
            short=SHORT.get(name, ""),
            version=1,
            worlds={"test": World(source="none", tasks=(EvalTask(name=f"test_{name}"),))},
            order=k,
        )
        for k, (name, role) in enumerate(roles.items())
    )


def quality(arm: Arm) -> float:
    """A plausible accuracy for an arm; the tests read scores, never this."""
    value = {"base": 0.52, "full": 0.62}.get(arm.method, 0.58)
    value += 0.05 * (arm.choices.get("variant") == "shared_a")
    value -= 0.03 * (arm.choices.get("variant") == "rank_route")
    value += 0.02 * (arm.base == "default") + 0.03 * arm.each_alone
    if arm.recipe is not None:
        value += 0.04 * (arm.recipe.upsampling is not None) + 0.03 * arm.recipe.general_share
        value += 0.03 * math.log10(arm.recipe.fraction)
    return value


def diversity(recipe: Recipe) -> float:
    """Share of distinct n-grams; duplicates lower it, those of fewer samples lower it more."""
    up = recipe.upsampling
    return 0.41 if up is None else 0.41 - up.target / 3e6 * (2 if up.kind == "unique" else 1)


def rows(law: Law = LAW, seeds: int = 3, items: int = 60, seed: int = 0) -> list[dict]:
    """Item scores of every arm, router of every routed one, diversity of every mixture."""
    rng = np.random.default_rng(seed)
    found = []
    for arm in law.arms:
        experts = int(arm.choices.get("experts", EXPERTS))
        router = rng.dirichlet([0.6] * experts, size=len(SCIENCE))
        sharp = 0.6 if arm.choices.get("variant") == "shared_a" else 0.15
        for s in range(seeds):
            shift = rng.normal(0, 0.01)
            order = rng.permutation(experts)
            common = {"arm": arm.name, "seed": s, "cluster": ""}
            for d in disciplines():
                if arm.each_alone and d.role != "discipline":
                    continue
                # An arm that learns each discipline alone has one run for each.
                run = f"{arm.name}.{d.name}-{s}" if arm.each_alone else f"{arm.name}-{s}"
                place = common | {"run_id": run, "task": f"test_{d.name}"}
                hard = np.random.default_rng(len(d.name)).normal(0, 0.15, items)
                right = rng.random(items) < np.clip(quality(arm) + shift + hard, 0.02, 0.98)
                found += [
                    place | {"item_id": f"i{k}", "metric": "acc", "value": float(v)}
                    for k, v in enumerate(right)
                ]
                if arm.method in ROUTED and d.role == "discipline":
                    mine = sharp * router[SCIENCE.index(d.name)] + (1 - sharp) / experts
                    found += [
                        place
                        | {
                            "item_id": f"expert_{e}",
                            "metric": ROUTING,
                            "value": float(mine[order[e]]),
                        }
                        for e in range(experts)
                    ]
            if arm.recipe is not None and not arm.each_alone:
                found.append(
                    common
                    | {
                        "run_id": f"{arm.name}-{s}",
                        "task": "mixture",
                        "item_id": "train",
                        "metric": DISTINCT,
                        "value": diversity(arm.recipe),
                    }
                )
    return found


# What may be wrong with somebody's score table, one at a time.
DAMAGES = (
    "complete",
    "an arm is missing",
    "the base is missing",
    "one seed",
    "a discipline is missing",
    "an arm lacks a discipline",
)


def lost_arm(law: Law) -> Arm:
    """The arm that is missing from a damaged table: a trained one, if any, in the middle."""
    trained = [a for a in law.arms if a.recipe is not None] or law.arms
    return trained[len(trained) // 2]


def damaged(law: Law, found: list[dict], damage: str) -> list[dict]:
    """The rows of a score table that lacks something."""
    lost = lost_arm(law).name
    keep = {
        "complete": lambda r: True,
        "an arm is missing": lambda r: r["arm"] != lost,
        "the base is missing": lambda r: r["arm"] != law.base.name,
        "one seed": lambda r: r["seed"] == 0,
        "a discipline is missing": lambda r: r["task"] != "test_math",
        "an arm lacks a discipline": lambda r: (r["arm"], r["task"]) != (lost, "test_math"),
    }[damage]
    return [r for r in found if keep(r)]


def table(found: list[dict]) -> ScoreTable:
    columns = {
        f.name: pa.array([r[f.name] for r in found]).cast(
            pa.string() if pa.types.is_dictionary(f.type) else f.type
        )
        for f in SCHEMA
    }
    return check(pa.table(columns).cast(SCHEMA))


def costs(arm: Arm, quantity: str) -> float | None:
    known = {"trainable_share": {"full": 100.0, "lora_moe": 1.3}, "gpu_hours": {"full": 2000.0}}
    return known[quantity].get(arm.method)


UNITS = {
    "RouterInformation": "share of maximum",
    "RelativeGain": "percent",
    "Cost": "percent",
    "RoughnessRatio": "log ratio of SDs",
    "SeedSpread": "log ratio of variances",
    "RankCorrelation": "rank correlation",
}


def verdict(law: Law = LAW) -> Verdict:
    rng = np.random.default_rng(5)
    parts = []
    for k, h in enumerate(law.hypotheses):
        kind = type(h.estimand).__name__
        unit = UNITS.get(kind, "points")
        size = 2.0 if unit in ("points", "percent") else 0.1
        estimate = -90.0 if kind == "Cost" else float(rng.normal(size, size))
        half = None if kind == "Cost" else size * 0.8
        parts.append(
            PartVerdict(
                name=h.name,
                role=h.role,
                outcome=("shown", "open", "reversed", "negligible", "not tested")[k % 5],
                alternative=h.alternative,
                unit=unit,
                estimate=estimate,
                se=None,
                df=None,
                low=None if half is None else estimate - half,
                high=None if half is None else estimate + half,
                p=None,
                p_opposite=None,
                holm=None,
                holm_opposite=None,
                margin=h.margin,
                sesoi=h.sesoi,
                alpha=h.alpha,
                n_seeds=3,
                n_items=300,
                n_unscored=0,
                n_diverged=0,
                mde=None,
                seeds_needed=None,
            )
        )
    return Verdict(
        law=law.name,
        outcome="NOT SHOWN",
        claim=law.claim,
        scale="proxy",
        parts=tuple(parts),
        without=(),
        n_seeds=3,
        preregistered=True,
        design_digest="",
        scores_digest="",
    )


def context(
    scores: ScoreTable, law: Law = LAW, judged: bool = True, **changes: object
) -> RenderContext:
    given = {
        "law": law,
        "scores": scores,
        "verdict": verdict(law) if judged else None,
        "disciplines": disciplines(),
        "world": "test",
        "scale_name": "proxy",
        "costs": costs,
    }
    return RenderContext(**(given | changes))
