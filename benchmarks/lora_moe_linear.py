"""Training time and saved activations of LoRA-MoE against peft's LoRA of equal total rank.

    python benchmarks/lora_moe_linear.py [--hidden 96] [--layers 3] [--tokens 24x32] [--rounds 40]

One process, one thread unless --threads says otherwise. The models take steps in turn, so that
what else the machine does meets all of them alike; a ratio is the median over the rounds of CPU
time over LoRA's CPU time in the same round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lawcheck.methods import lora, lora_moe
from lawcheck.methods.base import AdapterSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from modeling import naive, randomise


def base(options: argparse.Namespace) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=400,
        hidden_size=options.hidden,
        intermediate_size=8 * options.hidden // 3,
        num_hidden_layers=options.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def saved_megabytes(model: Any, ids: torch.Tensor) -> float:
    """What one forward keeps for backward, each storage once, parameters excluded."""
    kept: dict[int, torch.UntypedStorage] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        model(input_ids=ids, labels=ids)
    return sum(s.nbytes() for s in kept.values()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--tokens", default="24x32", help="batch x length")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = tuple(int(n) for n in options.tokens.split("x"))
    ids = torch.randint(0, 400, shape)
    settings = AdapterSettings(rank=options.rank, alpha=2 * options.rank, dropout=options.dropout)

    models = {"lora": lora.build(base(options), {"rank_multiple": options.experts}, settings, 0)}
    for variant in lora_moe.VARIANTS:
        design = {"variant": variant, "experts": options.experts}
        models[variant] = lora_moe.build(base(options), design, settings, 0)
    models["plain, loop"] = naive(models["plain"])
    steps = {}
    for name, model in models.items():
        randomise(model, size=0.02).train()
        moving = [p for p in model.parameters() if p.requires_grad]
        steps[name] = (model, torch.optim.AdamW(moving, lr=1e-5))

    times: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(options.rounds + 5):
        for name, (model, optimizer) in steps.items():
            start = time.process_time()
            model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if round_ >= 5:
                times[name].append(time.process_time() - start)

    print(f"{'model':16}{'ms a step':>10}{'x LoRA':>8}{'saved MB':>10}")
    for name, model in models.items():
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(times[name], times["lora"], strict=True)
        )
        median = 1000 * statistics.median(times[name])
        print(f"{name:16}{median:10.2f}{ratio:8.3f}{saved_megabytes(model, ids):10.2f}")


if __name__ == "__main__":
    main()
