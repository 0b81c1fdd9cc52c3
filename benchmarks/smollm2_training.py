"""Training steps on a real base model: every method against peft's LoRA of equal total rank.

    python benchmarks/smollm2_training.py [--rounds 5] [--scale smollm2] [--results results]

The scale's base, adapter settings and precision; optimizer steps on rows of its corpus, as a run
packs them: forward, backward, AdamW. peft's own LoRA stands beside, once at the rank of one expert
and once at the experts' total rank. All are held at a time and take turns; tokens a CPU second are
all tokens of the rows, and a ratio is the median over rounds within a round.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
from measuring import in_turn, machine, ratio, table

from lawcheck.corpus.build import build_corpus, training_rows
from lawcheck.corpus.encoding import encode
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Run, arm
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale, load_scale
from lawcheck.pipeline.stages import base_folder
from lawcheck.planning.cost import adapter_settings
from lawcheck.planning.plan import Planner
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model
from lawcheck.training.data import MicroBatches
from lawcheck.training.learnt import learnt_tokens
from lawcheck.training.objectives import response
from lawcheck.training.start import Start, build_model

EXPERTS = 5
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {}),
    "lora, total rank": ("lora", {"rank_multiple": EXPERTS}),
    "lora_moe, plain": ("lora_moe", {"variant": "plain"}),
    "lora_moe, shared_a": ("lora_moe", {"variant": "shared_a"}),
    "full": ("full", {}),
}


def with_peft(folder: Path | str, scale: Scale, rank: int) -> Any:
    dtype = torch.bfloat16 if scale.hardware.precision == "bfloat16" else torch.float32
    settings = adapter_settings(scale)
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=rank * scale.adapter.alpha_over_rank,
        lora_dropout=scale.adapter.dropout,
        target_modules=list(settings.modules),
    )
    return peft.get_peft_model(load_model(folder, "main", (), dtype=dtype), config)


def stepper(model: Any, steps: list[list[dict[str, Any]]], bf16: bool) -> Callable[[], None]:
    model.train()
    moving = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=1e-6, fused=True)
    state = {"at": 0}

    def run() -> None:
        for batch in steps[state["at"] % len(steps)]:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                tokens, _ = learnt_tokens(model, model, batch)
                loss = response.loss(tokens, None).sum() / max(1, len(tokens.labels))
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        state["at"] += 1

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="smollm2")
    parser.add_argument("--results", default="results", help="holds the base that was built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scale = load_scale(options.scale)
    layout, planner = Layout(Path(options.results), scale.name), Planner(scale, (0,))
    folder = base_folder(planner, layout, "default", 0)
    run = Run(arm=arm("lora", Recipe()), seed=0, scale=scale.name, digest="")
    with tempfile.TemporaryDirectory() as corpus:
        build_corpus(scale, Path(corpus) / "corpus")
        rows = list(training_rows(run, scale, Path(corpus) / "corpus"))
    encoded = encode(load_tokenizer(folder, "main"), rows, scale.training.max_length)
    parts = scale.training.batch_size // scale.hardware.micro_batch
    made = MicroBatches(encoded, 0, scale.training.batch_size, parts)
    steps = [
        [made[step * parts + part] for part in range(parts)]
        for step in range(min(made.steps, options.rounds + 1))
    ]
    size = scale.training.batch_size
    sizes = [int(encoded.lengths[made.order[k * size :][:size]].sum()) for k in range(len(steps))]
    bf16 = scale.hardware.precision == "bfloat16"
    rank = scale.adapter.rank
    models = {
        "peft LoRA, rank of one expert": with_peft(folder, scale, rank),
        "peft LoRA, total rank": with_peft(folder, scale, rank * EXPERTS),
    }
    for name, (method, design) in METHODS.items():
        discovery.method(method)
        start = Start(
            Run(arm=arm(method, Recipe(), **design), seed=0, scale=scale.name, digest=""),
            scale,
            folder,
            {},
            None,
        )
        models[name] = build_model(start)[0]
    gc.collect()
    times = in_turn({n: stepper(m, steps, bf16) for n, m in models.items()}, options.rounds)
    tokens = [sizes[(1 + k) % len(sizes)] for k in range(options.rounds)]
    print(machine())
    theirs = times["peft LoRA, total rank"]
    lines = [
        [
            name,
            f"{statistics.median(n / s for n, s in zip(tokens, spent, strict=True)):.0f}",
            f"{ratio(theirs, spent):.2f}",
        ]
        for name, spent in times.items()
    ]
    print(table(["model", "tokens a CPU s", "speed, x peft's LoRA of total rank"], lines))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{sum(tokens):,} tokens each; {peak / 1e6:.1f} GB with all models in memory")


if __name__ == "__main__":
    main()
