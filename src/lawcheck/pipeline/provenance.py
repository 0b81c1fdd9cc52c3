"""What stood behind a law's scores: versions, hashes, hardware, time. Kept beside the verdict."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.declare.design import Law, Run
from lawcheck.files.atomic import write_json
from lawcheck.files.reading import read_object
from lawcheck.planning.shipped import bases_by_seed

if TYPE_CHECKING:
    from lawcheck.declare.layout import Layout
    from lawcheck.planning.plan import Planner

AGAIN = "make it again with the stage that writes it"
PACKAGES = (
    "lawcheck",
    "torch",
    "transformers",
    "peft",
    "lm_eval",
    "tokenizers",
    "numpy",
    "scipy",
    "statsmodels",
    "pandas",
    "pyarrow",
    "snakemake",
)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> dict[str, Any]:
    """The source tree's commit and whether it held uncommitted changes; empty outside git."""
    source = Path(__file__).resolve().parents[3]
    # An installed copy may lie inside somebody else's repository.
    if not (source / ".git").exists():
        return {}
    try:
        head = _git(source, "rev-parse", "HEAD")
        dirty = bool(_git(source, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": head, "dirty": dirty}


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [x for x in info.read_text().split("\n") if x.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "machine": platform.machine()}


def write_provenance(planner: Planner, layout: Layout, law: Law, runs: Iterable[Run]) -> None:
    """results/<scale>/laws/<law>.provenance.json; merges what each run recorded of itself."""
    scale = planner.scale
    runs = tuple(runs)
    families = sorted({r.arm.base for r in runs})
    manifest = read_object(layout.manifest, AGAIN, str(layout.manifest))
    per_run: dict[str, Any] = {}
    for run in planner.with_parents(runs).values():
        path = layout.run(run.id) / "train.json"
        if path.is_file():
            record = read_object(path, AGAIN, str(path))
            kept = (
                "wall_seconds",
                "cpu_seconds",
                "peak_memory_bytes",
                "weights_sha256",
                "diverged",
            )
            measured = {key: record[key] for key in kept if key in record}
            found = (record.get("health") or {}).get("findings")
            # Only where there is something, as for `reason` of a run that diverged.
            measured |= {"findings": found} if found else {}
            measured |= {"reason": record["reason"]} if record.get("reason") else {}
            per_run[run.id] = {"arm": run.arm.name, "seed": run.seed, **measured}
    content = {
        "law": law.name,
        "scale": scale.name,
        "seeds": list(planner.seeds),
        "source": commit(),
        "versions": versions(),
        "hardware": hardware(),
        "generator": scale.corpus.frozen,
        "data": planner.data_digest,
        "settings": scale.model_dump(mode="json", exclude={"title", "plan", "seeds"}),
        "bases": {
            family: {str(s): b for s, b in bases_by_seed(scale, family, planner.seeds).items()}
            for family in families
        },
        "corpus_identity": manifest.get("identity"),
        "corpus": manifest["files"],
        "runs": per_run,
        **{
            total: round(sum(r.get(total, 0.0) for r in per_run.values()), 1)
            for total in ("cpu_seconds", "wall_seconds")
        },
    }
    write_json(layout.provenance(law.name), content)
