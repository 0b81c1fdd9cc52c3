"""What a moving mixture costs: a dynamic run against a plain one on rows of equal number.

    python benchmarks/mixture_overhead.py [--rounds 3] [--scale versatune] [--results FOLDER]

Wall time of the training loop, in turn, on one base model of the scale: `dynamic` measures losses
before every phase and moves its weights; `plain` learns as many rows of an even mixture, without
phases or probes. The ratio is the median over rounds of the ratio within a round. Bases, shares and
reference are made if they are not there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

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
    ratios = []
    print(machine())
    for turn in range(options.rounds):
        seconds = {}
        for name, run, given in (("dynamic", dynamic, moved), ("plain", plain, plain_rows)):
            with tempfile.TemporaryDirectory() as out:
                record = train_run(run, scale, given, base, Path(out))
            loop = record["milliseconds_per_step"] * record["steps"] / 1000
            seconds[name] = (loop, record["steps"], record.get("probe_seconds", 0.0))
        ratios.append(seconds["dynamic"][0] / seconds["plain"][0])
        print(
            f"round {turn + 1}: dynamic {seconds['dynamic'][0]:.1f} s in {seconds['dynamic'][1]} "
            f"steps, probes {seconds['dynamic'][2]:.1f} s; plain {seconds['plain'][0]:.1f} s in "
            f"{seconds['plain'][1]} steps; ratio {ratios[-1]:.3f}"
        )
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
