"""CPU time and wall time of a verdict on 10,000 rows from the command line, import included.

    python benchmarks/first_verdict.py [--rows 10000] [--rounds 5]

Each command runs in a process of its own; the table shows the median of the rounds. `python -c
pass` and the import of numpy show what no program of this kind is without.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAW = """
from lawcheck import Arm, Hypothesis, Law, difference

OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")
LAW = Law(
    name="ours_wins", title="T", claim="ours beats theirs", source="a benchmark",
    base=Arm(method="base"),
    hypotheses=(
        Hypothesis(name="gain", role="primary", claim="more", alternative="greater", sesoi=2.0,
                   estimand=difference([OURS], [THEIRS])),
        Hypothesis(name="kept", role="primary", claim="no loss", alternative="no_gain", margin=3.0,
                   sesoi=1.0, estimand=difference([THEIRS], [OURS], target="task_1")),
    ),
)
"""
LEVELS = {"base": 0.3, "theirs": 0.55, "ours": 0.62}
SEEDS, TASKS = 4, 2


def write(folder: Path, rows: int) -> int:
    """A table of about that many rows, and a law; how many rows it is."""
    rng = random.Random(0)
    items = max(1, rows // (len(LEVELS) * SEEDS * TASKS))
    lines = [
        f"{arm},{seed},task_{task},q{item},{int(rng.random() < level)}"
        for arm, level in LEVELS.items()
        for seed in range(SEEDS)
        for task in range(TASKS)
        for item in range(items)
    ]
    (folder / "scores.csv").write_text("\n".join(["arm,seed,task,item_id,value", *lines]) + "\n")
    (folder / "laws").mkdir()
    (folder / "laws" / "ours_wins.py").write_text(LAW)
    return len(lines)


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU time (user and system) and wall time of one process."""
    env = os.environ | {"LAWCHECK_LAWS": str(folder / "laws")}
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    after, wall = os.times(), time.perf_counter() - began
    user, system = after.children_user, after.children_system
    return user - before.children_user + system - before.children_system, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    run = [sys.executable, "-m", "lawcheck"]
    judge = [*run, "judge", "ours_wins", "--scores", "scores.csv"]
    contenders = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy, scipy.special": [sys.executable, "-c", "import numpy, scipy.special"],
        "lawcheck judge": judge,
        "lawcheck judge --quick": [*judge, "--quick"],
        "lawcheck compare": [*run, "compare", "scores.csv", "ours", "theirs"],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write(folder, options.rows)
        print(f"| {rows:,} rows | CPU seconds | seconds |")
        print("| --- | --- | --- |")
        for title, command in contenders.items():
            seconds(command, folder)  # byte code and the files themselves are then in place
            cpu, wall = zip(*(seconds(command, folder) for _ in range(options.rounds)), strict=True)
            print(f"| {title} | {statistics.median(cpu):.2f} | {statistics.median(wall):.2f} |")


if __name__ == "__main__":
    main()
