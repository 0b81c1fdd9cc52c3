"""How many rows of a scarce discipline teach: gain of its own LoRA over the base, alone.

    python benchmarks/learnable_rows.py --results results

On the tuning items of base model 1000, which no law is judged on, at the rates of the scale. No
arm of a law is trained: no mixture, and one discipline at a time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lawcheck.corpus.build import build_corpus
from lawcheck.declare.design import Arm, Recipe
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.pipeline import stages
from lawcheck.pipeline.tuning import SEARCH_SEED
from lawcheck.planning.plan import Planner
from lawcheck.scores import load_scores

DISCIPLINES, ROWS = ("biology", "geography"), 4000
FRACTIONS = (0.125, 0.25, 0.5, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="proxy")
    parser.add_argument("--results", default="results")
    arguments = parser.parse_args()
    caps = {"math": 100, "chemistry": 100, "medicine": 100, **dict.fromkeys(DISCIPLINES, ROWS)}
    corpus = {"size": "1/8", "caps": caps, "general_pool": 10, "reserve": {}, "rows_frozen": None}
    scale = load_scale(
        arguments.scale,
        {"name": "ladder", "corpus": corpus, "evaluation": {"items": 10}},
    )
    layout = Layout(Path(arguments.results), scale.name)
    if not layout.corpus.exists():
        build_corpus(scale, layout.corpus)
    planner = Planner(scale, (SEARCH_SEED,))
    stages.build_bases(planner, layout, "default", [SEARCH_SEED])

    def score(arm: Arm, name: str) -> float:
        (run,) = planner.runs_of(arm, SEARCH_SEED)
        stages.train(planner, layout, [run])
        stages.evaluate(planner, layout, [run], "tune", roles=("discipline",))
        table = load_scores([layout.run_scores(run.id, "tune")])
        return float(table.cube(arm.name, f"{scale.world}_{name}", [SEARCH_SEED]).mean())

    print("| discipline | base | " + " | ".join(f"{ROWS * f:g} rows" for f in FRACTIONS) + " |")
    print("|---" * (2 + len(FRACTIONS)) + "|")
    for name in DISCIPLINES:
        level = score(Arm(method="base"), name)
        gains = [
            100 * (score(Arm(method="lora", recipe=Recipe(disciplines=(name,), fraction=f)), name))
            - 100 * level
            for f in FRACTIONS
        ]
        print(f"| {name} | {100 * level:.1f} | " + " | ".join(f"{g:+.1f}" for g in gains) + " |")


if __name__ == "__main__":
    main()
