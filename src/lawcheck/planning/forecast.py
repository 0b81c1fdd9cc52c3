"""What a law will take before anything runs: runs, rows, jobs, time, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from lawcheck.corpus.recipe import planned_rows, probe_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Run
from lawcheck.declare.scale import Scale, load_scale
from lawcheck.declare.worlds import realisable, scale_laws, science, unrealisable
from lawcheck.errors import InputError, look_up
from lawcheck.planning import sources
from lawcheck.planning.accelerators import Accelerator
from lawcheck.planning.budget import budget, budget_text
from lawcheck.planning.controls import NAME
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
    beside = law.name == NAME or (law.name in discovery.laws() and law.name not in own)
    found_jobs = every_batch(planner) if beside else batches(planner, plannable(planner, laws))
    jobs = [b for b in found_jobs.values() if {r.id for r in b.runs} & set(runs)]
    minutes = training_minutes(planner, runs.values())
    scoring = evaluation_minutes(scale, wanted.values()) / 60
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
        **({"evaluation_hours": scoring} if scoring else {}),
        **({} if scale.evaluation.cross else {"scored": scored_pairs(planner, law)}),
        "settings": {"rank": adapter_settings(scale).rank, "batch": scale.training.batch_size},
    }
    if scale.plan is not None or accelerator is not None:
        found["budget"] = budget(planner, list(arms.values()), runs, accelerator, printed_hours)
    return found


def _arm(planner: Planner, arm: Any) -> dict[str, Any]:
    scale = planner.scale
    paper = load_scale("paper")
    # A mixture is of the scale's own domains.
    mixed = {d.name for d in science(scale)} if arm.mixture is not None else set()
    known = (arm.base in paper.bases and mixed <= set(_words(paper))) or None
    entry = {
        "name": arm.name,
        "runs_per_seed": len(planner.runs_of(arm, planner.seeds[0])),
        "rows_per_seed": sum(planner.row_count(r) for r in planner.runs_of(arm, planner.seeds[0])),
        # None of a base or of domains that the paper scale does not have.
        "trainable_share_paper": known and planned_cost(arm, "trainable_share"),
        "gpu_hours_paper": known and planned_cost(arm, "gpu_hours"),
    }
    if arm.mixture is not None:
        corpus = scale.corpus
        entry["probe_rows_per_seed"] = probe_rows(
            arm.recipe, science(scale), corpus.size, corpus.general_pool, corpus.caps
        )
    if scale.plan is not None:
        entry["tokens_per_seed"] = planned_tokens(arm, scale)
    return entry


def _words(scale: Scale) -> dict[str, float]:
    return dict(scale.plan.words_per_sample) if scale.plan is not None else {}


def training_minutes(planner: Planner, runs: Iterable[Run]) -> float:
    """Planned minutes of one device: a full-corpus run's, in proportion to rows."""
    whole = sum(
        planned_rows(d, planner.scale.corpus.size, planner.scale.corpus.caps)
        for d in discovery.of_role("discipline", planner.scale.world)
    )
    rows = sum(planner.row_count(r) for r in runs)
    return planner.scale.hardware.minutes_per_run * rows / whole


def scored_pairs(planner: Planner, law: Law) -> dict[str, int]:
    """Pairs of a run and a task that is scored whole, and how many there would be of all tasks."""
    scale, runs = planner.scale, planner.law_runs(law).values()
    every = sum(len(d.worlds[scale.world].tasks) for d in science(scale))
    pairs = sum(len(sources.tasks(r, scale)) for r in runs)
    return {"pairs": pairs, "of": every * len(runs)}


def evaluation_minutes(scale: Scale, runs: Iterable[Run]) -> float:
    """Planned minutes of scoring; one run on one discipline is asked a share of the items."""
    each = scale.hardware.evaluation_minutes or 0.0
    tasks = {
        d.name: len(d.worlds[scale.world].tasks)
        for d in discovery.disciplines().values()
        if scale.world in d.worlds
    }
    return sum(each * (tasks[r.part] / sum(tasks.values()) if r.part else 1.0) for r in runs)


def plan_text(found: dict[str, Any]) -> str:
    width = max(len(a["name"]) for a in found["arms"])
    head = f"{'arm':<{width}}  runs/seed  rows/seed  trained at 7B  GPU hours at 7B"
    lines = [
        f"{found['law']} at scale {found['scale']}, seeds {', '.join(map(str, found['seeds']))}",
        head,
    ]
    for a in found["arms"]:
        line = f"{a['name']:<{width}}  {a['runs_per_seed']:>9}  {a['rows_per_seed']:>9}"
        if a["gpu_hours_paper"] is not None:
            line += f"  {a['trainable_share_paper']:>11.3f} %  {a['gpu_hours_paper']:>15.0f}"
        lines.append(line)
    probes = max((a.get("probe_rows_per_seed", 0) for a in found["arms"]), default=0)
    if probes:
        lines.append(f"losses between phases: up to {probes:,} held-out rows read a run, forward")
    shared = sum(r["laws"] > 1 for r in found["runs"])
    scored = "evaluation_hours" in found
    lines.append(
        f"{len(found['runs'])} runs in {found['jobs']} jobs, {shared} of them shared with other "
        f"laws; about {found['device_hours']:.1f} device hours by the scale's minutes_per_run"
        + (f", and {found['evaluation_hours']:.1f} of scoring" if scored else "")
    )
    if "scored" in found:
        lines.append(
            "{pairs} of {of} pairs of run and task are scored; of others the items that a "
            "selector sends there".format(**found["scored"])
        )
    if "budget" in found:
        lines += ["", budget_text(found["budget"])]
    return "\n".join(lines)
