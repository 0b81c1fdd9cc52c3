"""A training step of the whole proxy model: LoRA-MoE against peft's LoRA.

    python benchmarks/step.py [--rounds 40] [--tokens 24x32] [--scale proxy]

The scale's architecture and adapter settings with random weights; a step is forward, backward,
AdamW. LoRA comes at an expert's rank, as the laws compare it, and at the experts' total rank. The
models take turns; a ratio is the median over rounds of CPU time within a round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import in_turn, machine, ratio, saved_bytes, table
from transformers import AutoConfig, AutoModelForCausalLM

from lawcheck.declare.scale import load_scale
from lawcheck.methods import lora, lora_moe
from lawcheck.planning.cost import adapter_settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from modeling import naive, randomise

VOCABULARY = 400


def base(architecture: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    settings = dict(architecture)
    config = AutoConfig.for_model(settings.pop("model_type"), vocab_size=VOCABULARY, **settings)
    return AutoModelForCausalLM.from_config(config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="proxy")
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--tokens", default="24x32", help="rows x length of a packed batch")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scale = load_scale(options.scale)
    architecture = scale.bases["default"].architecture
    settings = adapter_settings(scale)
    shape = tuple(int(n) for n in options.tokens.split("x"))
    ids = torch.randint(0, VOCABULARY, shape)

    models = {"LoRA, rank of one expert": lora.build(base(architecture), {}, settings, 0)}
    total = {"rank_multiple": options.experts}
    models["LoRA, total rank"] = lora.build(base(architecture), total, settings, 0)
    for variant in lora_moe.VARIANTS:
        design = {"variant": variant, "experts": options.experts}
        models[variant] = lora_moe.build(base(architecture), design, settings, 0)
    models["plain, a loop over experts"] = naive(models["plain"])

    def step(model: Any) -> Callable[[], None]:
        randomise(model, size=0.02).train()
        moving = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(moving, lr=1e-5, fused=True)

        def run() -> None:
            model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        return run

    def saved(model: Any) -> int:
        return saved_bytes(lambda: model(input_ids=ids, labels=ids), model.parameters())

    times = in_turn({n: step(m) for n, m in models.items()}, options.rounds, warm=3)
    print(machine())
    one, whole = (times[name] for name in list(models)[:2])
    rows = [
        [
            name,
            f"{1000 * statistics.median(spent):.1f}",
            f"{ratio(spent, one):.3f}",
            f"{ratio(spent, whole):.3f}",
            f"{saved(models[name]) / 1e6:.1f}",
        ]
        for name, spent in times.items()
    ]
    print(table(["model", "ms a step", "x LoRA, one expert", "x LoRA, total", "saved MB"], rows))


if __name__ == "__main__":
    main()
