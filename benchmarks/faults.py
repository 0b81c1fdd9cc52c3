"""Kills a study at random moments until it is complete, and dies at places inside its writes.

    python benchmarks/faults.py [--kills 50] [--points 60] [--seed 0] [--folder FOLDER]

Prints Markdown tables of counts. Exit status 1 if anything was lost or came out otherwise than
in a study that nothing interrupted; what differs is printed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

from crash_sweep import sweep  # noqa: E402
from nursery import nursery  # noqa: E402
from studies import Study, differences, digests, kill, leftovers, orphans  # noqa: E402

PARTS = ("all", "all", "engine", "job", "shell")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--points", type=int, default=60, help="writes to die at (60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=25.0, help="seconds before a kill (25)")
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--folder", type=Path, help="kept; its `whole` is used if it is complete")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)).resolve()
        failures = crashed(folder / "points", options)
        return max(failures, killed(folder, options) if options.kills else 0)


def crashed(folder: Path, options: argparse.Namespace) -> int:
    if not options.points:
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    counts: Counter[tuple[str, str]] = Counter()
    died: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    with nursery() as lawcheck:
        for point in sweep(lawcheck, folder, options.points, random.Random(options.seed)):
            key = (point.kind, point.side)
            counts[key] += 1
            died[key] += point.died
            wrong[key] += bool(point.wrong)
            if point.wrong:
                print(*key, *point.wrong, flush=True)
    print("| died at | side of the call | times | failures |\n|---|---|---|---|")
    for key in sorted(counts):
        print(f"| {key[0]} | {key[1]} | {died[key]} of {counts[key]} | {wrong[key]} |")
    print(f"\n{sum(died.values())} deaths at writes; {sum(wrong.values())} failures\n", flush=True)
    return int(bool(sum(wrong.values())))


def killed(folder: Path, options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    whole = Study(folder / "whole", options.scale)
    if not finish(whole):
        print(whole.said()[-3000:])
        return 1
    expected = digests(whole.results) | drawn(whole)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    number = chain = 0
    while number < options.kills:
        chain += 1
        study = Study(folder / f"chain{chain}", options.scale)
        shutil.rmtree(study.folder, ignore_errors=True)
        study.folder.mkdir()
        complete = False
        while not complete and number < options.kills:
            engine = study.start()
            hits = 0
            while engine.poll() is None and number < options.kills:
                # Planning alone takes seconds; some kills fall into it.
                pause(engine, rng.uniform(1.0, options.longest))
                part = rng.choice(PARTS)
                hit = kill(engine, part) if engine.poll() is None else ""
                if hit:
                    number, hits = number + 1, hits + 1
                    counts[f"{part}, during {hit}"] += 1
                    print(f"chain {chain}, kill {number}: {part} during {hit}", flush=True)
                if part in ("all", "engine"):
                    break
            status = engine.wait()
            complete = status == 0
            if not hits and status > 0:
                failures.append(f"chain {chain} after kill {number}: {problem(study)}")
                print(failures[-1], flush=True)
        if not finish(study):
            failures.append(f"chain {chain} does not end: {problem(study)}")
        # Jobs whose Snakemake was killed may still be at work; they write what is there already.
        while orphans(study.folder):
            time.sleep(0.5)
        found = digests(study.results) | drawn(study)
        failures += [f"chain {chain} differs: {n}" for n in differences(found, expected)]
        left = leftovers(study.results)
        print(f"chain {chain}: complete, {len(left)} leftovers {left[:5]}", flush=True)
        again = Study(study.folder, options.scale, ["--dry-run"])
        again.start().wait()
        if "Nothing to be done" not in again.said():
            failures.append(f"chain {chain}: the finished study would run again")
    print("\n| killed with SIGKILL | times |\n|---|---|")
    for name, times in sorted(counts.items()):
        print(f"| {name} | {times} |")
    print(f"\n{number} kills in {chain} chains; {len(expected)} files compared in each;")
    print(f"{len(failures)} failures")
    print("\n".join(failures))
    return int(bool(failures))


def pause(engine: subprocess.Popen[bytes], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while engine.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)


def finish(study: Study) -> bool:
    """Whether the same command, not disturbed, ends well."""
    return study.start().wait() == 0


def drawn(study: Study) -> dict[str, str]:
    """The figures, which lie outside the results."""
    return {f"figures/{k}": v for k, v in digests(study.folder / "paper_figures").items()}


def problem(study: Study) -> str:
    lines = [line for line in study.said().splitlines() if "rror" in line or "lawcheck:" in line]
    return " / ".join(lines[:4]) or study.said()[-300:]


if __name__ == "__main__":
    sys.exit(main())
