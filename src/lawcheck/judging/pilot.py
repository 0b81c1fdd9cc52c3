"""Seeds that would decide a law, from the variances of a pilot's scores, and their cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy import special

from lawcheck.declare import discovery
from lawcheck.declare.design import Hypothesis, Law
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.judging.reading import read_scores
from lawcheck.judging.sizing import Sizing, measured, sizing, together, variances
from lawcheck.judging.stats import Estimate, seeds_needed
from lawcheck.judging.stats.components import Components
from lawcheck.judging.targets import OWN_SCORES, targets_of
from lawcheck.planning.cost import planned_cost
from lawcheck.planning.forecast import plan_law
from lawcheck.planning.plan import Planner
from lawcheck.scores import ScoreTable

POWER = 0.8
# One-sided confidence of the cautious plan: a pilot of few seeds often draws too small a variance
# (Browne 1995 plans with such an upper limit).
CONFIDENCE = 0.8


def pilot_plan(
    law: Law, scores: Sequence[str | Path], planner: Planner | None = None
) -> dict[str, Any]:
    """Seeds for 80 % power per hypothesis, for the whole law, and what those runs cost.

    The pilot may lack arms: hypotheses that need them are named as not planned. planner: of the
    scale whose cost is planned; None plans no cost. JSON-ready.
    """
    table, notes = read_scores(scores)
    found = seeds_plan(law, table)
    if notes:
        found["notes"] = list(notes)
    if planner is not None:
        for goal in found["law"].values():
            goal["cost"] = _cost(law, planner, goal["seeds"])
    return found


def seeds_plan(law: Law, scores: ScoreTable) -> dict[str, Any]:
    """The statistical half of `pilot_plan`.

    Per part, `seeds` and `cautious_seeds` keep the pilot's items and its own variance; `designs`
    vary both seeds and items and moderate the variance (lawcheck.judging.sizing), with
    `first_design_seeds` the 80 % range of the first one's seeds (None: above 1000).
    """
    there = [a for h in law.hypotheses for a in h.estimand.arms if a.name in scores.arms]
    targets = targets_of(law, scores, there, None)
    evidence = Evidence(
        scores=scores,
        places=targets.places,
        groups=targets.groups,
        whole=bool(law.averaged),
        law=law.name,
        cost=planned_cost,
        step="" if discovery.study_of(law.name) else OWN_SCORES,
    )
    parts = []
    primary: list[tuple[Hypothesis, Estimate | None]] = []
    plannable: list[tuple[Hypothesis, Components | Estimate]] = []
    for h in law.hypotheses:
        part = evidence.for_part(h.name)
        entry, value = _part(h, part)
        parts.append(entry)
        if h.role == "primary" and not entry["counted"]:
            primary.append((h, value))
        data = None if value is None else measured(h, part)
        if data is not None:
            plannable.append((h, data))
    known = variances(plannable)
    for h, entry in zip(law.hypotheses, parts, strict=True):
        if h.name in known:
            entry |= _designs(sizing(h, known[h.name]))
    whole = _whole(primary)
    joint = [(h, known[h.name]) for h, _ in primary if h.name in known]
    found = together(joint) if len(joint) == len(primary) else ()
    whole["joint"]["designs"] = [dataclasses.asdict(d) for d in found]
    return {"law": whole, "name": law.name, "parts": parts, "power": POWER}


def _part(h: Hypothesis, evidence: Evidence) -> tuple[dict[str, Any], Estimate | None]:
    entry: dict[str, Any] = {
        "name": h.name,
        "role": h.role,
        "effect": h.goal,
        "unit": None,
        "pilot_seeds": None,
        "pilot_sd": None,
        "seeds": None,
        "cautious_seeds": None,
        "counted": False,
        "designs": [],
        "designs_text": "",
        "first_design_seeds": None,
        "note": "",
    }
    try:
        finding = estimate(h.estimand, evidence)
    except InputError as error:
        return entry | {"note": str(error).removeprefix(f"{evidence.what} ")}, None
    value = finding.estimate
    if finding.exact:
        entry["counted"] = True
        return entry | {"note": "counted from the plan; no seed changes it"}, None
    entry |= {"unit": finding.unit, "pilot_seeds": value.n_seeds}
    if h.goal <= 0:
        return entry | {"note": "smallest effect of interest 0: nothing to plan for"}, None
    if value.single_run or value.n_seeds < 2:
        return entry | {"note": "one seed shows no variance between runs; pilot two or more"}, None
    if value.seed_variance + value.item_variance <= 0:
        return entry | {"note": "no variance to plan with"}, None
    entry |= {
        "pilot_sd": math.sqrt(value.seed_variance),
        "seeds": _seeds(h, value),
        "cautious_seeds": _seeds(h, value, cautious=True),
    }
    if entry["seeds"] is None:
        entry["note"] = "no number of seeds up to 1000 would do: more items are needed"
    return entry, value


def _designs(found: Sizing | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "designs": [dataclasses.asdict(d) for d in found.designs],
        "designs_text": found.text,
        "first_design_seeds": [found.fewest, found.most],
    }


def _seeds(
    h: Hypothesis, value: Estimate, power: float = POWER, cautious: bool = False
) -> int | None:
    variance = value.seed_variance
    if cautious:
        df = value.n_seeds - 1
        variance *= df / float(special.chdtri(df, CONFIDENCE))
    return seeds_needed(
        variance,
        h.goal,
        h.alpha,
        value.item_variance,
        value.item_df,
        equivalence=h.alternative == "equivalent",
        wanted=power,
        at_least=h.min_seeds,
    )


def _whole(primary: Sequence[tuple[Hypothesis, Estimate | None]]) -> dict[str, dict[str, Any]]:
    """Seeds for the primary parts together, with the pilot's items.

    each: every part on its own. joint: all at once; with k parts each at 1 - 0.2 / k the chance
    that any fails is at most 20 %, however they depend on one another.
    """
    joint = 1 - (1 - POWER) / max(1, len(primary))
    goals = {"each": (POWER, False), "joint": (joint, False), "joint_cautious": (joint, True)}
    plans: dict[str, dict[str, Any]] = {}
    for name, (power, cautious) in goals.items():
        needed = [None if v is None else _seeds(h, v, power, cautious) for h, v in primary]
        known = [n for n in needed if n is not None]
        whole = len(known) == len(primary) and known
        plans[name] = {"seeds": max(known) if whole else None}
    return plans


def _cost(law: Law, planner: Planner, seeds: int | None) -> dict[str, Any] | None:
    """Runs and hours for that many seeds; every seed takes the same runs."""
    if seeds is None:
        return None
    found: dict[str, Any] = {"scale": planner.scale.name}
    try:
        one = plan_law(Planner(planner.scale, planner.seeds[:1]), law)
    except InputError as error:
        return found | {"note": f"cost not planned: {error}"}
    return found | {
        "runs": len(one["runs"]) * seeds,
        "device_hours": one["device_hours"] * seeds,
        "gpu_hours_paper": sum(a["gpu_hours_paper"] or 0.0 for a in one["arms"]) * seeds,
    }


def pilot_text(found: dict[str, Any]) -> str:
    """The plan as lines for a terminal."""
    width = max(len(p["name"]) for p in found["parts"])
    head = f"{'part':<{width}}  {'role':<9}  {'effect':>6}  pilot  {'SD':>6}  seeds  cautious"
    lines = [f"{found['name']}: seeds for {100 * found['power']:g} % power, from the pilot"]
    lines += [*(f"note: {n}" for n in found.get("notes", ())), head]
    for p in found["parts"]:
        row = f"{p['name']:<{width}}  {p['role']:<9}  {p['effect']:>6g}  {_cell(p['pilot_seeds'])}"
        sd = "-" if p["pilot_sd"] is None else f"{p['pilot_sd']:.3g}"
        row += f"  {sd:>6}  {_cell(p['seeds'])}  {_cell(p['cautious_seeds'], 8)}"
        lines.append(row + (f"  {p['note']}" if p["note"] else ""))
    lines += [
        "effect: smallest effect of interest, or the margin. SD: of one seed's contrast.",
        f"cautious: with the SD at the upper {100 * CONFIDENCE:g} % limit that the pilot allows.",
    ]
    if any(p["designs"] for p in found["parts"]):
        lines.append(
            "enough with variances drawn towards those of like parts (80 % range of the first's "
            "seeds):"
        )
        for p in found["parts"]:
            if p["designs"]:
                low, high = p["first_design_seeds"]
                span = f"{low} or more" if high is None else f"{low} to {high}"
                lines.append(f"  {p['name']}: {p['designs_text']} ({span})")
    titles = {
        "each": "each primary part",
        "joint": "all primary parts at once",
        "joint_cautious": "all primary parts at once, cautious",
    }
    for name, title in titles.items():
        goal = found["law"][name]
        if goal["seeds"] is None:
            lines.append(f"{title}: not planned (see above)")
        else:
            lines.append(f"{title}: {goal['seeds']} seeds{_cost_text(goal.get('cost'))}")
    designs = found["law"]["joint"]["designs"]
    if designs:
        sizes = [f"{d['seeds']} seeds" for d in designs]
        if designs[0]["items"]:
            sizes = [f"{d['seeds']} x {d['items']:,}" for d in designs]
            sizes[0] = sizes[0].replace(" x ", " seeds x ") + " items a task"
        lines.append(f"all primary parts at once, enough: {', or '.join(sizes)}")
    notes = {g["cost"]["note"] for g in found["law"].values() if "note" in (g.get("cost") or {})}
    return "\n".join([*lines, *sorted(notes)])


def _cell(value: int | None, width: int = 5) -> str:
    return f"{'-' if value is None else value:>{width}}"


def _cost_text(cost: dict[str, Any] | None) -> str:
    if cost is None or "note" in cost:
        return ""
    return (
        f"; {cost['runs']:,} runs, about {cost['device_hours']:,.1f} device hours at scale "
        f"{cost['scale']} ({cost['gpu_hours_paper']:,.0f} GPU hours for a 7B model)"
    )
