"""The same runs under changed arithmetic: weights, log-likelihoods, answers, averages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import table
from safetensors.torch import load_file


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs from the first row. hardware: of the scale, which enters no run id.

    scored: only the scoring differs; the first row's weights are used.
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    scored: bool = False


LIMITS = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
}
CHANGES = (
    Change(name="the same again"),
    Change(name="2 threads", environment={"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}),
    *(Change(name=f"`{k}={v}`", environment={k: v}) for k, v in LIMITS.items()),
    Change(name="all four limits", environment=LIMITS),
    Change(name="micro-batch halved", hardware={"micro_batch": 0.5}),
    Change(name="scored: 2 threads", environment={"OMP_NUM_THREADS": "2"}, scored=True),
    Change(name="scored: all four limits", environment=LIMITS, scored=True),
    Change(name="scored: evaluation batch / 8", hardware={"evaluation_batch": 0.125}, scored=True),
    Change(name="scored: bfloat16", hardware={"precision": "bfloat16"}, scored=True),
)


def report(
    folder: Path, law: str, scale: str, arms: Sequence[str], rows: Sequence[int] | None = None
) -> str:
    """The table over CHANGES. rows: numbers of those to make; the first row is always made."""
    base = folder / "0"
    work(base, law, scale, arms, Change(name="first"))
    lines = []
    for number, change in enumerate(CHANGES, start=1):
        if rows is not None and number not in rows:
            continue
        place = folder / str(number)
        # The corpus takes minutes at larger scales and is the same for all.
        shutil.copytree(base / "corpus", place / "corpus")
        if change.scored:
            for run in (base / "runs").iterdir():
                shutil.copytree(run, place / "runs" / run.name, ignore=scores_only)
        work(place, law, scale, arms, change)
        lines.append([str(number), change.name, *compare(base, place, change.scored)])
    head = (
        *("", "changed", "bits of weights", "weights", "relative", "log-likelihoods"),
        *("answers", "average, points", "contrast, points"),
    )
    names = ", ".join(f"`{a}`" for a in arms)
    text = [
        f"Arms {names} of seed 0 at scale {scale}, each against a first training and scoring; the",
        "largest difference over runs, tensors, options. relative: norm of the difference over",
        "the norm of the weights. answers: items whose score differs, of all scored. average: of",
        "the discipline tasks, the arm that moves most. contrast: last arm less first.",
    ]
    return "\n".join([*text, "", table(head, lines)])


def scores_only(_: str, names: list[str]) -> list[str]:
    return [n for n in names if n.startswith("scores")]


def work(place: Path, law: str, scale: str, arms: Sequence[str], change: Change) -> None:
    """Train and score in a process of its own. place: what results/<scale> would be."""
    place.mkdir(parents=True, exist_ok=True)
    task = {"law": law, "scale": scale, "arms": list(arms), "hardware": change.hardware}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, __file__, str(place), json.dumps(task)],
        env={**environment, **change.environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{change.name}: exit {done.returncode}\n{done.stderr[-4000:]}")


def worker(place: Path, law: str, scale: str, arms: list[str], hardware: dict[str, Any]) -> None:
    """What `lawcheck train` and `lawcheck evaluate` do, keeping every option's log-likelihood."""
    from lawcheck.declare import discovery
    from lawcheck.declare.layout import Layout
    from lawcheck.declare.scale import load_scale
    from lawcheck.evaluation.model import PrefixSharingLM
    from lawcheck.pipeline import stages
    from lawcheck.planning.plan import Planner

    found = load_scale(scale)
    changed = {
        k: int(v * getattr(found.hardware, k)) if isinstance(v, float) else v
        for k, v in hardware.items()
    }
    found = found.model_copy(update={"hardware": found.hardware.model_copy(update=changed)})
    planner, layout = Planner(found, (0,)), Layout(place.parent, place.name)
    if not layout.manifest.is_file():
        from lawcheck.corpus.build import build_corpus

        build_corpus(found, layout.corpus)
    law_runs = planner.law_runs(discovery.law(law)).values()
    runs = [r for arm in arms for r in law_runs if r.arm.name == arm]
    if len(runs) != len(arms):
        raise SystemExit(f"arms {arms}: found {sorted({r.arm.name for r in law_runs})}")
    stages.train(planner, layout, runs)
    kept: list[float] = []
    honest = PrefixSharingLM._loglikelihood_tokens

    def recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        answers = honest(self, *args, **kwargs)
        kept.extend(a for a, _ in answers)
        return answers

    PrefixSharingLM._loglikelihood_tokens = recorded  # type: ignore[method-assign]
    for run in runs:
        stages.evaluate(planner, layout, [run])
        np.save(layout.run(run.id) / "likelihoods.npy", np.array(kept))
        kept.clear()


def compare(a: Path, b: Path, scored: bool) -> list[str]:
    """The cells of one row."""
    from lawcheck.scores import MEASUREMENTS
    from lawcheck.scores.files import read_rows

    equal, largest, relative, likely = True, 0.0, 0.0, 0.0
    answers = items = 0
    moved: dict[str, float] = {}
    # In the order of the arms, which is that of training.
    runs = sorted((a / "runs").iterdir(), key=lambda p: (p / "likelihoods.npy").stat().st_mtime_ns)
    for run in runs:
        other = b / "runs" / run.name
        own, theirs = (load_file(next((r / "adapter").glob("*.safetensors"))) for r in (run, other))
        size = apart = 0.0
        for key, tensor in own.items():
            gap = (tensor.double() - theirs[key].double()).abs()
            equal = equal and bool((gap == 0).all())
            largest = max(largest, float(gap.max()))
            size += float(tensor.double().square().sum())
            apart += float(gap.square().sum())
        relative = max(relative, (apart / size) ** 0.5)
        mine, hers = (np.load(r / "likelihoods.npy") for r in (run, other))
        likely = max(likely, float(np.abs(mine - hers).max()))
        rows = [read_rows([r / "scores.parquet"]).to_pandas() for r in (run, other)]
        x, y = (
            t[~t.metric.isin(MEASUREMENTS)]
            .astype({"task": str, "item_id": str})
            .set_index(["task", "item_id"])
            .value.sort_index()
            for t in rows
        )
        answers += int((x != y).sum())
        items += len(x)
        moved[run.name] = 100 * discipline_mean(y - x)
    contrast = list(moved.values())[-1] - next(iter(moved.values()))
    return [
        "not trained" if scored else "equal" if equal else "differ",
        *(["", ""] if scored else [f"{largest:.1e}", f"{relative:.1e}"]),
        f"{likely:.1e}",
        f"{answers} of {items:,}",
        f"{max(moved.values(), key=abs):+.2f}",
        f"{contrast:+.2f}",
    ]


def discipline_mean(values: Any) -> float:
    """Mean over the tasks of the average, of values indexed by task and item."""
    from lawcheck.declare import discovery
    from lawcheck.scores import task_places

    places = task_places(discovery.disciplines().values())
    means = values.groupby(level="task").mean()
    return float(np.mean([v for t, v in means.items() if places[t].role == "average"]))


if __name__ == "__main__":
    worker(Path(sys.argv[1]), **json.loads(sys.argv[2]))
