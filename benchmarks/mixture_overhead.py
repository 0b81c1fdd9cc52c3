"""What a moving mixture costs: a dynamic run against a plain one on rows of equal number.

    python benchmarks/mixture_overhead.py [--rounds 3] [--scale versatune] [--results FOLDER]

Wall time of the training loop, in turn, on one base model of the scale: `dynamic` measures losses
before every phase and moves its weights; `plain` learns as many rows of an even mixture, without
phases or probes. The ratio is the median over rounds of the ratio within a round. Bases, shares and
reference are made if they are not there. Rows of different domains differ in length, so that the
CPU seconds of a token are compared as well. The contenders take turns in going first.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from measuring import machine

from lawcheck.corpus import moving
from lawcheck.corpus.build import build_corpus, check_corpus
from lawcheck.declare.design import Arm, Recipe, Run
from lawcheck.declare.layout import Layout
from lawcheck.declare.mixing import Reference
from lawcheck.declare.scale import load_scale
from lawcheck.files.reading import read_object
from lawcheck.pipeline import stages
from lawcheck.planning.plan import Planner
from lawcheck.studies.versatune import arms
from lawcheck.training.mixture import domain_rows, rows_of
from lawcheck.training.run import train_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="versatune")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--seed", type=int, default=1000, help="of the base: far from any study's")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    scale = load_scale(options.scale)
    planner, layout = Planner(scale, (options.seed,)), Layout(options.results, scale.name)
    if not layout.manifest.is_file():
        build_corpus(scale, layout.corpus)
    manifest = check_corpus(layout.corpus, scale)
    for base in ("skew_a", "small"):
        stages.build_bases(planner, layout, base, (options.seed,))
    detected = stages.detect(planner, layout, "skew_a", options.seed)["shares"]
    stages.measure_reference(planner, layout, "small", options.seed)
    found = read_object(layout.reference("small", options.seed), "")
    reference = Reference(found["losses"], found["transfer"])
    base = stages.base_folder(planner, layout, "skew_a", options.seed)

    (dynamic,) = planner.runs(arms.DYNAMIC[0])
    moved = rows_of(dynamic, scale, layout.corpus, manifest, layout.tokens, detected, reference)
    recipe = dynamic.arm.recipe
    assert recipe is not None
    rows = moving.phase_rows(recipe, scale.corpus.size, 1) * arms.DYNAMIC[0].mixture.phases
    rows_by_domain = domain_rows(scale, layout.corpus)
    counts = moving.apportioned(dict.fromkeys(rows_by_domain, 1.0), rows)
    plain_rows = [row for name, n in counts.items() for row in rows_by_domain[name][:n]]
    plain = Run(
        arm=Arm(method="full", recipe=Recipe(), base="skew_a"),
        seed=options.seed,
        scale=scale.name,
        digest="0" * 12,
    )
    ratios: dict[str, list[float]] = {"wall": [], "CPU a token": []}
    contenders = [("dynamic", dynamic, moved), ("plain", plain, plain_rows)]
    print(machine())
    for turn in range(options.rounds):
        seen: dict[str, dict[str, Any]] = {}
        for name, run, given in contenders if turn % 2 == 0 else contenders[::-1]:
            with tempfile.TemporaryDirectory() as out:
                seen[name] = train_run(run, scale, given, base, Path(out))
        loop = {n: r["milliseconds_per_step"] * r["steps"] / 1000 for n, r in seen.items()}
        cpu = {n: r["cpu_seconds"] / r["tokens"] for n, r in seen.items()}
        ratios["wall"].append(loop["dynamic"] / loop["plain"])
        ratios["CPU a token"].append(cpu["dynamic"] / cpu["plain"])
        said = (
            f"{n} {loop[n]:.1f} s in {r['steps']} steps, {r['cpu_seconds']:.1f} CPU s, "
            f"{r['tokens']:,} tokens"
            for n, r in seen.items()
        )
        found_ratios = ", ".join(f"{kind} {of[-1]:.3f}" for kind, of in ratios.items())
        probes = seen["dynamic"]["probe_seconds"]
        print(f"round {turn + 1}: {'; '.join(said)}; probes {probes:.1f} s; ratios: {found_ratios}")
    medians = ", ".join(f"{kind} {statistics.median(of):.3f}" for kind, of in ratios.items())
    print(f"median ratios: {medians}")


if __name__ == "__main__":
    main()
