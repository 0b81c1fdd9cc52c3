"""A synthetic score table and verdict, shared by the rendering tests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lawcheck.design import (
    Arm,
    Discipline,
    EvalTask,
    Law,
    PartVerdict,
    Verdict,
    World,
)
from lawcheck.laws.share_then_specialize import LAW
from lawcheck.render import RenderContext
from lawcheck.score_files import SCHEMA
from lawcheck.scores import ScoreTable, check

SCIENCE = ("math", "chemistry", "biology", "medicine", "geography")
EXPERTS = 5


def disciplines() -> tuple[Discipline, ...]:
    roles = {**dict.fromkeys(SCIENCE, "discipline"), "general": "general"}
    roles["out_of_domain"] = "out_of_domain"
    return tuple(
        Discipline(
            name=name,
            title=name.title().replace("_", " "),
            role=role,
            paper_samples=1,
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
    if arm.recipe is not None and arm.recipe.upsampling:
        value += 0.04
    return value


def rows(law: Law = LAW, seeds: int = 3, items: int = 60, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    found = []
    for arm in law.arms:
        router = rng.dirichlet([0.6] * EXPERTS, size=len(SCIENCE))
        sharp = 0.6 if arm.choices.get("variant") == "shared_a" else 0.15
        for s in range(seeds):
            shift = rng.normal(0, 0.01)
            order = rng.permutation(EXPERTS)
            for d in disciplines():
                if arm.each_alone and d.role != "discipline":
                    continue
                task = f"test_{d.name}"
                hard = np.random.default_rng(len(d.name)).normal(0, 0.15, items)
                right = rng.random(items) < np.clip(quality(arm) + shift + hard, 0.02, 0.98)
                common = {"run_id": f"{arm.name}-{s}", "arm": arm.name, "seed": s, "task": task}
                found += [
                    common | {"item_id": f"i{k}", "cluster": "", "metric": "acc", "value": float(v)}
                    for k, v in enumerate(right)
                ]
                if arm.method == "lora_moe" and d.role == "discipline":
                    mine = sharp * router[SCIENCE.index(d.name)] + (1 - sharp) / EXPERTS
                    found += [
                        common
                        | {
                            "item_id": f"expert_{e}",
                            "cluster": "",
                            "metric": "routing_probability",
                            "value": float(mine[order[e]]),
                        }
                        for e in range(EXPERTS)
                    ]
    return found


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


def verdict(law: Law = LAW) -> Verdict:
    rng = np.random.default_rng(5)
    parts = []
    for k, h in enumerate(law.hypotheses):
        kind = type(h.estimand).__name__
        unit = {"RouterInformation": "share of maximum", "RelativeGain": "percent"}.get(
            kind, "percent" if kind == "Cost" else "points"
        )
        size = 0.1 if unit.startswith("share") else 2.0
        estimate = -90.0 if kind == "Cost" else float(rng.normal(size, size))
        half = None if kind == "Cost" else size * 0.8
        parts.append(
            PartVerdict(
                name=h.name,
                role=h.role,
                outcome=("shown", "open", "reversed", "negligible")[k % 4],
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
        without_biology=(),
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
