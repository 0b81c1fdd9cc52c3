"""A results folder of judged laws over synthetic scores, for the tests of the report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from render_world import rows

from lawcheck.declare import discovery
from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.files.atomic import write_json
from lawcheck.judging.judged import judge_file
from lawcheck.planning.plan import Planner
from lawcheck.scores.files import SCHEMA, write_scores

SEEDS = (0, 1, 2)


def planner() -> Planner:
    return Planner(load_scale("proxy"), SEEDS)


def study(results: Path, laws: Iterable[Law], items: int = 40) -> Layout:
    """Scores, verdict and provenance of each law, as the stages leave them."""
    plan = planner()
    layout = Layout(results, plan.scale.name)
    for law in laws:
        found = rows(law, seeds=len(SEEDS), items=items)
        # A task that is named like a discipline belongs to it.
        named = [r | {"task": r["task"].removeprefix("test_")} for r in found]
        columns = {f.name: [r[f.name] for r in named] for f in SCHEMA}
        path = layout.law_scores(law.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_scores(pa.table({k: pa.array(v) for k, v in columns.items()}), path)
        judge_file(law, [path], plan.scale, out=layout.verdict(law.name))
        write_json(layout.provenance(law.name), provenance(plan, law))
    return layout


def provenance(plan: Planner, law: Law) -> dict:
    runs = [r for r in plan.law_runs(law).values() if r.arm.recipe is not None]
    return {
        "law": law.name,
        "scale": plan.scale.name,
        "seeds": list(plan.seeds),
        "source": {"commit": "0" * 40, "dirty": False},
        "versions": {"lawcheck": "0.1.0", "python": "3.11"},
        "hardware": {"cpu": "a processor", "cores": 2, "machine": "x86_64"},
        "generator": plan.scale.corpus.frozen,
        "data": None,
        "corpus": {
            f"{d}.{split}.jsonl": {"rows": 100, "sha256": "ab" * 32}
            for d in discovery.disciplines()
            for split in ("train", "eval")
        },
        "runs": {
            r.id: {
                "cpu_seconds": 10.0,
                "wall_seconds": 11.0,
                "peak_memory_bytes": 7 * 10**8,
                "weights_sha256": "cd" * 32,
                "diverged": False,
            }
            for r in runs
        },
        "cpu_seconds": 10.0 * len(runs),
    }
