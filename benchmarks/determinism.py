"""What the same commit gives twice, and how far results move where the arithmetic may differ.

    python benchmarks/determinism.py [--scale smoke] [--seeds 0,1] [--numeric-scale proxy]
        [--arms full.d100,lora_moe.plain.d100] [--only clones|numerics] [--report FILE]
    python benchmarks/determinism.py --against results/proxy

clones: two fresh clones of HEAD run the whole study of one law, with every accident of a machine
chosen differently (ACCIDENTS), and every file that is left is compared. They share this
interpreter and its packages, not a file of the project.

numerics: the same runs are trained and scored in processes of their own, each with one thing
changed that changes the order or the width of floating-point operations; what stands in for
another processor are limits on the instructions that torch, MKL and oneDNN may use.

against: a study that was run here, such as what `make laws` leaves, beside the published scores of
the same run ids; nothing is run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

# Before torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import determinism_clones
import determinism_numerics
import determinism_published
from measuring import machine

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--law", default="share_then_specialize")
    parser.add_argument("--scale", default="smoke", help="of the clones")
    parser.add_argument("--seeds", default="0,1", help="of the clones")
    parser.add_argument("--numeric-scale", default="proxy")
    parser.add_argument("--arms", default="full.d100,lora_moe.plain.d100")
    parser.add_argument("--rows", help="of the numerics, by number; all if left out")
    parser.add_argument("--only", choices=("clones", "numerics"))
    parser.add_argument("--against", type=Path, help="results of a scale, to hold to the published")
    parser.add_argument("--report", help="write the tables here too")
    options = parser.parse_args()
    parts = [machine()]
    with tempfile.TemporaryDirectory(prefix="determinism-") as place:
        if options.against:
            published = ROOT / "results" / "reference" / options.against.name
            parts.append(determinism_published.report(options.against, published))
        elif options.only != "numerics":
            folder = Path(place) / "clones"
            parts.append(
                determinism_clones.report(folder, options.law, options.scale, options.seeds)
            )
        if not options.against and options.only != "clones":
            rows = [int(n) for n in options.rows.split(",")] if options.rows else None
            parts.append(
                determinism_numerics.report(
                    Path(place) / "numerics",
                    options.law,
                    options.numeric_scale,
                    options.arms.split(","),
                    rows,
                )
            )
    text = "\n\n".join(parts) + "\n"
    if options.report:
        Path(options.report).write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
