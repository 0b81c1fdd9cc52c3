"""Likelihoods of one model in bfloat16 against float32, the softmax in either precision.

    python benchmarks/likelihood_precision.py [--scale smollm2] [--results results] [--items 12]

Of the scale's default base, as `lawcheck base` and `lawcheck corpus` made it. A cell: mean absolute
difference of an item from float32, the largest one, and the difference of the means.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from measuring import machine, table

from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.evaluation.likelihood import measured, prepare
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.tasks import build_requests, load_tasks
from lawcheck.pipeline.stages import base_folder
from lawcheck.planning.plan import Planner
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model


class AsHarness(PrefixSharingLM):
    """The softmax in the model's precision, whoever asks for another."""

    softmax_dtype = property(lambda self: None, lambda self, value: None)


CONTENDERS = {
    "float32": (torch.float32, PrefixSharingLM),
    "bfloat16, softmax in float32": (torch.bfloat16, PrefixSharingLM),
    "bfloat16, softmax in bfloat16": (torch.bfloat16, AsHarness),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="smollm2")
    parser.add_argument("--results", default="results")
    parser.add_argument("--items", type=int, default=12)
    options = parser.parse_args()
    asked = {"items": options.items, "generated_items": options.items, "likelihood": True}
    scale = load_scale(options.scale, {"evaluation": asked})
    planner, layout = Planner(scale, scale.seeds[:1]), Layout(Path(options.results), scale.name)
    folder = base_folder(planner, layout, "default", scale.seeds[0])
    tokenizer = load_tokenizer(folder, "main")
    world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
    found: dict[str, dict[tuple[str, str, str], float]] = {}
    for name, (dtype, kind) in CONTENDERS.items():
        model = load_model(folder, "main", (), dtype=dtype).eval()
        lm = kind(pretrained=model, tokenizer=tokenizer, batch_size=scale.hardware.evaluation_batch)
        placed = load_tasks(world, scale, layout.corpus, "eval")
        build_requests(placed, lm)
        found[name] = {
            (p.declared.name, item, metric): value
            for p in placed
            for item, metric, value in measured(prepare(p, lm), lm)
        }
        print(f"{name}: {len(found[name])} numbers", file=sys.stderr)
    exact = found.pop("float32")
    metrics = sorted({metric for _, _, metric in exact})
    rows = []
    for name, values in found.items():
        cells = []
        for metric in metrics:
            off = np.array([values[k] - v for k, v in exact.items() if k[2] == metric])
            size = np.abs(off)
            cells.append(f"{size.mean():.4f}, {size.max():.4f}, {off.mean():+.4f}")
        rows.append([name, *cells])
    print(machine())
    print(f"{len({k[:2] for k in exact})} items")
    print(table(["model", *metrics], rows))


if __name__ == "__main__":
    main()
