"""Time of `lawcheck list`, and of Snakemake's plan of every law at the paper's scale.

    python benchmarks/dag.py [--seeds 10] [--scale paper] [--rounds 3]

Every command runs in a process of its own; CPU time is that of the process and its children,
start included, median over rounds. `interpreter` is a Python that does nothing, `snakemake
--version` an engine that does nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--seeds", default="10")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": beside}
    snakemake = [sys.executable, "-m", "snakemake"]
    with tempfile.TemporaryDirectory() as folder:
        plan = [*snakemake, "--snakefile", str(ROOT / "Snakefile"), "--directory", folder]
        plan += ["--profile", str(ROOT / "reproduce/profiles/local"), "--dry-run"]
        plan += ["--quiet", "rules", "reason"]
        plan += ["--config", f"scale={options.scale}", f"seeds={options.seeds}"]
        commands = {
            "interpreter": [sys.executable, "-c", ""],
            "lawcheck list": [sys.executable, "-m", "lawcheck", "list"],
            "lawcheck plan": [
                *(sys.executable, "-m", "lawcheck", "plan", "share_then_specialize"),
                *("--scale", options.scale, "--seeds", options.seeds),
            ],
            "snakemake --version": [*snakemake, "--version"],
            f"dry run, all laws, {options.scale}, {options.seeds} seeds": plan,
        }
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        jobs = ""
        for _ in range(options.rounds):
            for name, command in commands.items():
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, check=False
                )
                wall = time.perf_counter() - began
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                if done.returncode:
                    raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}")
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                rows[name].append((spent, wall))
                total = re.search(r"^total\s+(\d+)", done.stdout + done.stderr, re.MULTILINE)
                jobs = total[1] if total else jobs
    print("| command | CPU s | wall s |\n|---|---|---|")
    for name, found in rows.items():
        spent, wall = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {name} | {spent:.2f} | {wall:.2f} |")
    print(f"\n{jobs} jobs planned")


if __name__ == "__main__":
    main()
