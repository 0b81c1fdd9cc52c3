"""What is ten or a hundred times as much: rows of a score table, laws in a folder, jobs of a plan.

    python benchmarks/load.py [judge] [list] [dag] [--rows 100000000] [--laws 1000] [--seeds 101]

judge: a made-up table is written first, a seed's scores of an arm a row group, then loaded and
judged in a process of its own whose private memory is limited (`--memory`, RLIMIT_DATA: what a
process allocates; pages of a mapped file, which the system may take back, do not count).
list: `lawcheck list` with a folder of further laws. dag: Snakemake's dry run of every law.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from lawcheck.declare import discovery
from lawcheck.judging.judged import judge_file
from lawcheck.scores.files import SCHEMA
from lawcheck.scores.sorting import is_large

ROOT = Path(__file__).resolve().parents[1]
LAW, ARMS, SEEDS = "variability", 75, 10
GIB = 1 << 30


def write_table(path: Path, rows: int) -> None:
    """Item scores of ARMS arms and SEEDS seeds, items in random order, in row groups."""
    rng = np.random.default_rng(0)
    names = [a.name for a in discovery.law(LAW).arms]
    names += [f"other{k}" for k in range(ARMS - len(names))]
    tasks = [d.name for d in discovery.disciplines().values() if d.role == "discipline"]
    items = -(-rows // (ARMS * SEEDS * len(tasks)))
    ids = pa.array([f"item{k}" for k in range(items)])

    def text(codes: np.ndarray, words: pa.Array) -> pa.Array:
        return pa.DictionaryArray.from_arrays(codes.astype(np.int32), words)

    n = items * len(tasks)
    nothing = np.zeros(n, dtype=np.int32)
    with pa.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as file:
        for arm in names:
            for seed in range(SEEDS):
                order = rng.permutation(n)
                columns = [
                    text(nothing, pa.array([f"{arm}-s{seed}"])),
                    text(nothing, pa.array([arm])),
                    pa.array(np.full(n, seed)),
                    text(order // items, pa.array(tasks)),
                    text(order % items, ids),
                    text(nothing, pa.array([""])),
                    text(nothing, pa.array(["acc"])),
                    pa.array((rng.random(n) < 0.6).astype(float)),
                ]
                file.write_table(pa.table(columns, schema=SCHEMA))


def judge(path: Path, memory: int) -> None:
    """Runs in a process of its own; prints a row of the table."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    began, wall = time.process_time(), time.perf_counter()
    verdict = judge_file(discovery.law(LAW), [path])
    spent, wall = time.process_time() - began, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = pa.parquet.read_metadata(path).num_rows
    how = "sorted on disk" if is_large([path]) else "in memory"
    print(
        f"| judge {rows:,} rows ({path.stat().st_size / 1e6:,.0f} MB of Parquet), {how}, "
        f"at most {memory / GIB:g} GiB ({verdict.outcome}) | {spent:.1f} | {wall:.1f} | "
        f"{peak:,.0f} |"
    )


def timed(command: list[str], **more: str) -> tuple[str, str]:
    """What it printed, and the end of its row: CPU s, wall s, peak MiB of all children so far."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": beside, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, f"{spent:.1f} | {wall:.1f} | {after.ru_maxrss / 1024:,.0f} |"


def list_laws(folder: Path, count: int) -> None:
    laws = ROOT / "src/lawcheck/studies/discipline_laws/laws"
    source = (laws / "variability.py").read_text(encoding="utf-8")
    for k in range(count):
        text = source.replace('name="variability"', f'name="more{k}"')
        (folder / f"more{k}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "lawcheck", "list", "--json"]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Twice: the first run compiles the files, as it does only where they are new.
    for when in ("new", "seen before"):
        printed, row = timed(command, LAWCHECK_LAWS=str(folder))
        print(f"| list {len(json.loads(printed)['laws']):,} laws, files {when} | {row}")


def plan(folder: Path, scale: str, seeds: str) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--profile", str(ROOT / "reproduce/profiles/local")]
    command += ["--dry-run", "--quiet", "rules", "reason"]
    command += ["--config", f"scale={scale}", f"seeds={seeds}"]
    printed, row = timed(command)
    jobs = re.search(r"^total\s+(\d+)", printed, re.MULTILINE)
    print(f"| dry run, {scale}, {seeds} seeds: {int(jobs[1]) if jobs else 0:,} jobs | {row}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="judge, list, dag; all by default")
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--memory", type=float, default=2, help="GiB for judging")
    parser.add_argument("--laws", type=int, default=1000)
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--seeds", default="101")
    parser.add_argument("--table", type=Path, help="judge this table; used by the benchmark itself")
    options = parser.parse_args()
    if options.table:
        judge(options.table, int(options.memory * GIB))
        return
    # Not in the process that judges: it draws torch in, 0.3 GB.
    from measuring import machine

    parts = options.parts or ["judge", "list", "dag"]
    print(f"{machine()}\n\n| what | CPU s | wall s | peak MiB |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "judge" in parts:
            table = folder / "scores.parquet"
            write_table(table, options.rows)
            more = ["--table", str(table), "--memory", str(options.memory)]
            subprocess.run([sys.executable, __file__, *more], check=True)
            table.unlink()
        if "list" in parts:
            (folder / "laws").mkdir()
            list_laws(folder / "laws", options.laws)
        if "dag" in parts:
            plan(folder, options.scale, options.seeds)


if __name__ == "__main__":
    main()
