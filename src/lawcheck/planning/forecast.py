"""What a law will take before anything runs: runs, rows, jobs, time, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from lawcheck.corpus.recipe import planned_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law
from lawcheck.declare.worlds import realisable, scale_laws, unrealisable
from lawcheck.errors import InputError, look_up
from lawcheck.planning.accelerators import Accelerator
from lawcheck.planning.budget import budget, budget_text
from lawcheck.planning.cost import adapter_settings, planned_cost, planned_tokens
from lawcheck.planning.plan import Planner, batches, every_batch, plannable


def plan_law(
    planner: Planner,
    law: Law,
    only: str | None = None,
    accelerator: Accelerator | None = None,
    printed_hours: Callable[[Arm], float | None] | None = None,
) -> dict[str, Any]:
    """Runs of a law (or of one of its arms) with their planned size. JSON-ready.

    accelerator: what hours, wall time and memory are planned on, at scales with a `plan` section.
    printed_hours: GPU hours of an arm as its paper prints them, to stand beside the planned ones.
    """
    scale = planner.scale
    own = scale_laws(scale)
    laws = realisable(scale, {law.name: law, **own})
    if law.name not in laws:
        for arm in law.arms:
            discovery.method(arm.method)
        raise InputError(
            f"law {law.name!r}: {unrealisable(scale, law)}; add it under 'bases', or choose "
            f"another scale"
        )
    arms = {a.name: a for a in law.arms}
    if only is not None:
        arms = {only: look_up(only, arms, f"law {law.name!r}: no arm {only!r}")}
    wanted = {r.id: r for a in arms.values() for r in planner.runs(a)}
    runs = planner.with_parents(wanted.values())
    others = {name: other for name, other in own.items() if name != law.name}
    shared = Counter(
        run_id
        for other in (law, *plannable(planner, others).values())
        for run_id in planner.with_parents(planner.law_runs(other).values())
    )
    beside = law.name in discovery.laws() and law.name not in own
    found_jobs = every_batch(planner) if beside else batches(planner, plannable(planner, laws))
    jobs = [b for b in found_jobs.values() if {r.id for r in b.runs} & set(runs)]
    minutes = _minutes(planner, runs)
    found: dict[str, Any] = {
        "law": law.name,
        "scale": scale.name,
        "seeds": list(planner.seeds),
        "arms": [_arm(planner, a) for a in arms.values()],
        "runs": [
            {"id": r.id, "rows": planner.row_count(r), "laws": shared[r.id]} for r in runs.values()
        ],
        "jobs": len(jobs),
        "device_hours": minutes * scale.hardware.processes / 60,
        "settings": {"rank": adapter_settings(scale).rank, "batch": scale.training.batch_size},
    }
    if scale.plan is not None or accelerator is not None:
        found["budget"] = budget(planner, list(arms.values()), runs, accelerator, printed_hours)
    return found


def _arm(planner: Planner, arm: Any) -> dict[str, Any]:
    scale = planner.scale
    entry = {
        "name": arm.name,
        "runs_per_seed": len(planner.runs_of(arm, planner.seeds[0])),
        "rows_per_seed": sum(planner.row_count(r) for r in planner.runs_of(arm, planner.seeds[0])),
        "trainable_share_paper": planned_cost(arm, "trainable_share"),
        "gpu_hours_paper": planned_cost(arm, "gpu_hours"),
    }
    if scale.plan is not None:
        entry["tokens_per_seed"] = planned_tokens(arm, scale)
    return entry


def _minutes(planner: Planner, runs: dict[str, Any]) -> float:
    """Planned minutes of one device: a full-corpus run's, in proportion to rows."""
    corpus = planner.scale.corpus
    whole = sum(
        planned_rows(d, corpus.size, corpus.most_rows)
        for d in discovery.of_role("discipline", planner.scale.world)
    )
    rows = sum(planner.row_count(r) for r in runs.values())
    return planner.scale.hardware.minutes_per_run * rows / whole


def plan_text(found: dict[str, Any]) -> str:
    width = max(len(a["name"]) for a in found["arms"])
    head = f"{'arm':<{width}}  runs/seed  rows/seed  trained at 7B  GPU hours at 7B"
    lines = [
        f"{found['law']} at scale {found['scale']}, seeds {', '.join(map(str, found['seeds']))}",
        head,
    ]
    for a in found["arms"]:
        lines.append(
            f"{a['name']:<{width}}  {a['runs_per_seed']:>9}  {a['rows_per_seed']:>9}  "
            f"{a['trainable_share_paper']:>11.3f} %  {a['gpu_hours_paper']:>15.0f}"
        )
    shared = sum(r["laws"] > 1 for r in found["runs"])
    lines.append(
        f"{len(found['runs'])} runs in {found['jobs']} jobs, {shared} of them shared with other "
        f"laws; about {found['device_hours']:.1f} device hours by the scale's minutes_per_run"
    )
    if "budget" in found:
        lines += ["", budget_text(found["budget"])]
    return "\n".join(lines)
