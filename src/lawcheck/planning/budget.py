"""What a law takes on given accelerators: tokens, hours, memory, wall time and storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from lawcheck.declare.design import Arm, Run
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.planning.accelerators import Accelerator
from lawcheck.planning.cost import gpu_hours, planned_tokens
from lawcheck.planning.memory import planned_memory
from lawcheck.planning.plan import Planner
from lawcheck.planning.storage import run_bytes, stored_bytes

GB = 1e9


def budget(
    planner: Planner,
    arms: list[Arm],
    runs: dict[str, Run],
    accelerator: Accelerator | None = None,
    printed_hours: Callable[[Arm], float | None] | None = None,
) -> dict[str, Any]:
    """Of the runs of these arms. JSON-ready; hours of training only, bytes of one process.

    runs: by id, all that they are made from among them. accelerator: instead of the one that the
    scale's plan assumes. printed_hours: GPU hours of an arm in print, if its study knows them.
    Raises InputError for a scale without a `plan` section.
    """
    scale = on_accelerator(planner.scale, accelerator)
    assert scale.plan is not None
    rows = [_arm(a, planner, scale, accelerator, printed_hours) for a in arms]
    # Every run counts once, although the parents of an arm may be another arm's runs.
    made = Counter(run.arm for run in runs.values() if run.arm.has_weights)
    hours = sum(_hours_per_run(a, scale, planner) * n for a, n in made.items())
    return {
        "accelerator": accelerator.model_dump() if accelerator else None,
        "peak_tflops": scale.plan.peak_tflops,
        "utilisation": scale.plan.utilisation,
        "devices": scale.hardware.processes,
        "arms": rows,
        "gpu_hours": hours,
        # Jobs one after another; a cluster with room runs them side by side.
        "wall_hours_in_turn": hours / scale.hardware.processes,
        "storage_bytes": stored_bytes(scale, made),
    }


def on_accelerator(scale: Scale, accelerator: Accelerator | None) -> Scale:
    """The scale, planned with the accelerator's arithmetic. Raises InputError without a plan."""
    if scale.plan is None:
        raise InputError(
            f"scale {scale.name!r}: has no 'plan' section, so its hours cannot be planned on an "
            f"accelerator; choose a scale such as paper, or leave --hardware"
        )
    if accelerator is None:
        return scale
    plan = scale.plan.model_copy(update={"peak_tflops": accelerator.bf16_tflops})
    return scale.model_copy(update={"plan": plan})


def _hours_per_run(arm: Arm, scale: Scale, planner: Planner) -> float:
    """Mean over the parts of an arm that trains one run per discipline."""
    return gpu_hours(arm, scale) / len(planner.runs_of(arm, planner.seeds[0]))


def _arm(
    arm: Arm,
    planner: Planner,
    scale: Scale,
    accelerator: Accelerator | None,
    printed_hours: Callable[[Arm], float | None] | None,
) -> dict[str, Any]:
    hours = gpu_hours(arm, scale)
    memory = planned_memory(arm, scale)
    paper = printed_hours(arm) if printed_hours else None
    entry: dict[str, Any] = {
        "name": arm.name,
        "tokens_per_seed": planned_tokens(arm, scale),
        "gpu_hours_per_seed": hours,
        "wall_hours_per_run": _hours_per_run(arm, scale, planner) / scale.hardware.processes,
        "stored_bytes_per_run": run_bytes(arm, scale),
        "memory": None if memory is None else {**memory.parts, "total": memory.total},
        "published_gpu_hours": paper,
        "published_over_planned": paper / hours if paper and hours else None,
    }
    if accelerator and memory is not None:
        entry["fits"] = memory.total < accelerator.memory_gb * GB
    return entry


def budget_text(found: dict[str, Any]) -> str:
    """The budget as two aligned tables and a sum."""
    device = found["accelerator"]
    name = device["title"] if device else "the scale's own accelerator"
    lines = [
        f"On {found['devices']} x {name} ({found['peak_tflops']:g} TFLOP/s in bfloat16, of which "
        f"{100 * found['utilisation']:g} % are assumed to be reached), training only:"
    ]
    width = max(len(a["name"]) for a in found["arms"])
    lines.append(
        f"{'arm':<{width}}  tokens/seed  GPU h/seed  paper's GPU h  paper/plan  wall h/run  "
        f"saved/run"
    )
    for a in found["arms"]:
        paper, ratio = a["published_gpu_hours"], a["published_over_planned"]
        lines.append(
            f"{a['name']:<{width}}  {a['tokens_per_seed'] / 1e6:>9,.1f} M  "
            f"{a['gpu_hours_per_seed']:>10,.1f}  {f'{paper:,.0f}' if paper else '':>13}  "
            f"{f'{ratio:.1f}' if ratio else '':>10}  {a['wall_hours_per_run']:>10.2f}  "
            f"{a['stored_bytes_per_run'] / GB:>6.2f} GB"
        )
    lines += ["", *_memory_lines(found["arms"], width, device)]
    lines += [
        "",
        f"All seeds: {found['gpu_hours']:,.0f} GPU hours, {found['wall_hours_in_turn']:,.1f} hours "
        f"if jobs run in turn, {found['storage_bytes'] / GB:,.1f} GB stored",
    ]
    return "\n".join(lines)


def _memory_lines(arms: list[dict[str, Any]], width: int, device: Any) -> list[str]:
    shown = [a for a in arms if a["memory"]]
    if not shown:
        return []
    parts = list(shown[0]["memory"])
    titles = {p: p.replace("_", " ") for p in parts}
    lines = [
        "GB per process at most, if every token of a full micro-batch is a response token",
        f"{'arm':<{width}}  " + "  ".join(f"{titles[p]:>9}" for p in parts),
    ]
    for a in shown:
        cells = (f"{a['memory'][p] / GB:>{max(9, len(titles[p]))}.2f}" for p in parts)
        verdict = "" if device is None else "  fits" if a["fits"] else "  DOES NOT FIT"
        lines.append(f"{a['name']:<{width}}  " + "  ".join(cells) + verdict)
    return lines
