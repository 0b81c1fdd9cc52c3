"""Two fresh clones of HEAD, run under different accidents, compared file by file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import table
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Accidents:
    """What must not matter. folder: of the clone; cores: of the workflow, hence the jobs' order;
    runs_per_job: how runs share a process, None as the scale has it."""

    folder: str
    cores: int
    umask: int
    runs_per_job: int | None
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        batches = f", {self.runs_per_job} runs a job" if self.runs_per_job else ""
        told = ", ".join(f"{k}={v}" for k, v in self.environment.items())
        return f"`{self.folder}`, {self.cores} core(s){batches}, umask {self.umask:03o}, {told}"


ACCIDENTS = (
    Accidents(
        folder="a",
        cores=1,
        umask=0o022,
        runs_per_job=None,
        environment={"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    ),
    Accidents(
        folder="deeper/than the other/größer/b",
        cores=2,
        umask=0o077,
        runs_per_job=3,
        environment={
            "PYTHONHASHSEED": "4242",
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C",
            "COLUMNS": "40",
        },
    ),
)

# Files by kind, relative to a clone.
KINDS = {
    "corpus": "results/{scale}/corpus/*",
    "mixtures": "results/{scale}/mixtures.json",
    "adapters and weights, without the base's folder": "results/{scale}/runs/*/adapter/*",
    "training records, without times": "results/{scale}/runs/*/train.json",
    "scores of a run": "results/{scale}/runs/*/scores.parquet",
    "score table of the law": "results/{scale}/laws/*.scores.parquet",
    "verdict": "results/{scale}/laws/{law}.json",
    "provenance, without times and settings": "results/{scale}/laws/*.provenance.json",
    "tables": "results/{scale}/tables/*",
    "figures": "paper_figures/{scale}/*",
    "page, drawn from the first study": "page/index.html",
}
# Measured anew by every process, or of the clone; the settings differ in `runs_per_job`.
MEASURED = {
    "cpu_seconds",
    "wall_seconds",
    "setup_seconds",
    "tokens_per_second",
    "milliseconds_per_step",
    "peak_memory_bytes",
    "settings",
    # peft writes the base model's folder, which lies in the clone.
    "base_model_name_or_path",
}


def report(folder: Path, law: str, scale: str, seeds: str) -> str:
    """The table of one comparison. Leaves everything under `folder`."""
    clones = [study(folder / a.folder, a, law, scale, seeds) for a in ACCIDENTS]
    # A page tells CPU time, so each clone draws the first one's results.
    for clone, accidents in zip(clones, ACCIDENTS, strict=True):
        words = ["report", "--from", str(clones[0] / "results" / scale), "--out", "page"]
        run(clone, accidents, [sys.executable, "-m", "lawcheck", *words])
    rows, odd = compare(*clones, law=law, scale=scale)
    head = ("files", "in both clones", "equal bytes", "differ", "largest difference")
    lines = [f"Two clones, law {law}, scale {scale}, seeds {seeds}:", ""]
    lines += [f"{k}. {a}" for k, a in enumerate(ACCIDENTS, start=1)]
    return "\n".join([*lines, "", table(head, rows), *odd])


def study(clone: Path, accidents: Accidents, law: str, scale: str, seeds: str) -> Path:
    """Clone HEAD and run a law there."""
    clone.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["git", "clone", "--quiet", "--local", str(ROOT), str(clone)],
        check=True,
        umask=accidents.umask,
    )
    named = scale
    if accidents.runs_per_job is not None:
        found = json.dumps({"extends": scale, "hardware": {"runs_per_job": accidents.runs_per_job}})
        own = clone.parent / "scale" / f"{scale}.yaml"
        own.parent.mkdir(exist_ok=True)
        own.write_text(found)
        named = str(own)
    snakemake = [sys.executable, "-m", "snakemake", "--quiet", "all", "--profile", "local"]
    run(
        clone,
        accidents,
        [
            *(*snakemake, f"law_{law}", "--cores", str(accidents.cores)),
            *("--config", f"scale={named}", f"seeds=[{seeds}]"),
        ],
    )
    return clone


def run(clone: Path, accidents: Accidents, command: list[str]) -> None:
    """Run a command in a clone, with the clone's code and under its accidents."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"}
    environment = {
        **kept,
        **accidents.environment,
        "PYTHONPATH": str(clone / "src"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command,
        cwd=clone,
        env=environment,
        umask=accidents.umask,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise SystemExit(
            f"{clone.name}: exit {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
        )


def compare(a: Path, b: Path, *, law: str, scale: str) -> tuple[list[list[str]], list[str]]:
    """A row for each kind of file; and a line for each file that is not the same in both."""
    rows, odd = [], []
    for kind, pattern in KINDS.items():
        pattern = pattern.format(scale=scale, law=law)
        mine, theirs = ({p.relative_to(c) for p in c.glob(pattern) if p.is_file()} for c in (a, b))
        lone = sorted(mine ^ theirs)
        odd += [f"- only in one: `{p}`" for p in lone]
        both = sorted(mine & theirs)
        apart = [p for p in both if content(a / p) != content(b / p)]
        largest = max((d for p in apart if (d := distance(a / p, b / p)) is not None), default=None)
        odd += [f"- differs: `{p}`: {where(a / p, b / p)}" for p in apart]
        rows.append(
            [
                kind,
                str(len(both)),
                str(len(both) - len(apart)),
                str(len(apart) + len(lone)),
                "none" if not apart else "not a number" if largest is None else f"{largest:.2g}",
            ]
        )
    return rows, ["", *odd] if odd else []


def content(path: Path) -> str:
    """SHA-256 of a file; of records, without what every process measures anew."""
    data = path.read_bytes()
    if path.name in ("train.json", "adapter_config.json") or path.name.endswith(".provenance.json"):
        data = json.dumps(without_times(json.loads(data)), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in MEASURED}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def distance(a: Path, b: Path) -> float | None:
    """Largest absolute difference of two files of numbers; None for other files."""
    pairs = list(numbers(a, b))
    return max((float(np.max(np.abs(x - y), initial=0.0)) for x, y in pairs), default=None)


def numbers(a: Path, b: Path) -> Iterator[tuple[Any, Any]]:
    if a.suffix == ".safetensors":
        mine, theirs = load_file(a), load_file(b)
        yield from ((mine[k], theirs[k]) for k in mine)
    elif a.suffix == ".parquet":
        mine, theirs = (pq.read_table(p).column("value").to_numpy() for p in (a, b))
        if len(mine) == len(theirs):
            yield mine, theirs


def where(a: Path, b: Path) -> str:
    """The first line that differs, of text."""
    try:
        mine, theirs = (p.read_text(encoding="utf-8").splitlines() for p in (a, b))
    except UnicodeDecodeError:
        return "bytes"
    lines = [(x, y) for x, y in zip(mine, theirs, strict=False) if x != y]
    return f"`{lines[0][0][:90]}` against `{lines[0][1][:90]}`" if lines else "length"
