"""Time and memory of loading and judging 3.75 million item scores (75 arms, 10 seeds).

    python benchmarks/judging.py [--items 1000]

Writes a shuffled table of random answers to a temporary folder first; only load and judge count.
"""

from __future__ import annotations

import argparse
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
from lawcheck.judging.verdict import judge
from lawcheck.scores import SCHEMA, load_scores, task_places

ARMS, SEEDS = 75, 10
LAW = "share_then_specialize"


def write_table(path: Path, items: int) -> None:
    """Item scores of every arm and routing of the mixtures, rows in random order."""
    rng = np.random.default_rng(0)
    law = discovery.law(LAW)
    names = [a.name for a in law.arms]
    names += [f"other{k}" for k in range(ARMS - len(names))]
    tasks = [d.name for d in discovery.disciplines().values() if d.role == "discipline"]
    shape = (ARMS, SEEDS, len(tasks), items)
    arm, seed, task, item = np.unravel_index(rng.permutation(np.prod(shape)), shape)

    def text(codes: np.ndarray, words: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(words))

    nothing = np.zeros(arm.size, dtype=np.int32)
    table = pa.table(
        [
            text(arm * SEEDS + seed, [f"{n}-s{s}" for n in names for s in range(SEEDS)]),
            text(arm, names),
            pa.array(seed),
            text(task, tasks),
            text(item, [f"item{k}" for k in range(items)]),
            text(nothing, [""]),
            text(nothing, ["acc"]),
            pa.array((rng.random(arm.size) < 0.6).astype(float)),
        ],
        schema=SCHEMA,
    )
    extra: list[tuple] = []
    for a in law.arms:
        for s in range(SEEDS):
            run = (f"{a.name}-s{s}", a.name, s)
            extra += [(*run, "out_of_domain", f"q{k}", "", "acc", k % 2) for k in range(100)]
            if a.method == "lora_moe":
                extra += [
                    (*run, t, f"expert_{e}", "", "routing_probability", p)
                    for t in tasks
                    for e, p in enumerate(rng.dirichlet(np.ones(5)))
                ]
    columns = zip(SCHEMA, zip(*extra, strict=True), strict=True)
    arrays = [
        pa.array(v).dictionary_encode().cast(f.type)
        if pa.types.is_dictionary(f.type)
        else pa.array(v, f.type)
        for f, v in columns
    ]
    pa.parquet.write_table(pa.concat_tables([table, pa.table(arrays, schema=SCHEMA)]), path)


def measure(path: Path, quick: bool) -> None:
    began = time.perf_counter(), time.process_time()
    scores = load_scores(path)
    loaded = time.perf_counter()
    verdict = judge(
        discovery.law(LAW),
        scores,
        tasks=task_places(discovery.disciplines().values()),
        cost=lambda arm, quantity, scale: 1.0 if arm.method == "full" else 0.1,
        quick=quick,
    )
    ended = time.perf_counter(), time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{scores.n_rows:,} rows: load {loaded - began[0]:.1f} s, judge {ended[0] - loaded:.1f} s, "
        f"{ended[1] - began[1]:.1f} CPU s, peak {peak:,.0f} MiB ({verdict.outcome}), "
        f"{'verdict alone' if quick else 'with what stands beside it'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000, help="per discipline")
    parser.add_argument("--table", type=Path, help="measure this table instead of making one")
    parser.add_argument("--quick", action="store_true", help="the verdict alone")
    options = parser.parse_args()
    if options.table:
        measure(options.table, options.quick)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.parquet"
        write_table(path, options.items)
        # A process of its own, so that making the table does not count as peak memory.
        for more in (["--quick"], []):
            subprocess.run([sys.executable, __file__, "--table", str(path), *more], check=True)


if __name__ == "__main__":
    main()
