"""Training steps of Qwen2.5-7B's shapes on one accelerator, and the adapters' table on it.

    python benchmarks/gpu.py --accelerator h100 [--tokens 2048] [--steps 10]
    python benchmarks/gpu.py --tiny                                  the same code on a CPU

Random weights in bfloat16, one sample of 2,048 tokens, gradient checkpointing; adapters in float32
under autocast, as the trainer holds them; full fine-tuning with weights and AdamW's moments in
bfloat16 (61 GB), since float32 masters (122 GB) fit few cards: a measure of speed, no recipe.

Model FLOPs of a step, T tokens: 2 N T forward, 2 N T for the gradient of activations and 2 per
trained parameter and token for that of weights, and attention's 12 L d T^2 / 2 (causal, forward and
backward); N = parameters that are multiplied with. What checkpointing computes again is left
out, as is usual for MFU, and counted in HFU. Hours are extrapolated to the tokens of the
paper's corpus (`lawcheck plan`); the paper reports 328 GPU hours for its mixture of adapters and
2,080 for full fine-tuning, on A800.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from measuring import clock, machine
from transformers import AutoConfig, AutoModelForCausalLM

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm
from lawcheck.declare.scale import load_scale
from lawcheck.methods.base import ModelShapes
from lawcheck.planning.accelerators import load_accelerator
from lawcheck.planning.cost import adapter_settings, multiplied_parameters, planned_tokens
from lawcheck.studies.discipline_laws.arms import full, lora, lora_moe

TINY = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 500,
}
ARMS = {"LoRA-MoE, shared_a": lora_moe("shared_a"), "LoRA": lora(), "full": full()}


def build(arm: Arm, architecture: dict[str, Any], device: str, attention: str) -> Any:
    settings = dict(architecture)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16, attn_implementation=attention
        )
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    module = discovery.method_module(arm.method)
    # Adapters join in float32 where peft casts them, as in training.
    return module.build(model, arm.choices, adapter_settings(load_scale("paper")), 0).train()


def flops(arm: Arm, model: ModelShapes, tokens: int) -> tuple[float, float]:
    """Model FLOPs of a step, and what checkpointing adds."""
    settings = adapter_settings(load_scale("paper"))
    multiplied, trained = multiplied_parameters(arm, model, settings)
    attention = 12 * model.layers * model.heads * model.head_dim * tokens**2 / 2
    return (4 * multiplied + 2 * trained) * tokens + attention, (
        2 * multiplied * tokens + attention / 3
    )


def measure(
    name: str, architecture: dict[str, Any], options: argparse.Namespace, peak: float
) -> list[str]:
    """A row of the table."""
    device, arm = options.device, ARMS[name]
    try:
        model = build(arm, architecture, device, options.attention)
        moving = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(moving, lr=1e-5, fused=True)
        vocabulary = architecture["vocab_size"]
        ids = torch.randint(0, vocabulary, (options.samples, options.tokens), device=device)
        times = []
        for step in range(options.steps + 2):
            began = clock(device)
            with torch.autocast(device, torch.bfloat16):
                loss = model(input_ids=ids, labels=ids, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if step >= 2:
                times.append(clock(device) - began)
    except torch.OutOfMemoryError:
        return [name, "out of memory", "", "", "", "", ""]
    seconds, tokens = statistics.median(times), options.samples * options.tokens
    model_flops, again = flops(arm, ModelShapes.from_config(architecture), options.tokens)
    model_flops, again = (options.samples * f for f in (model_flops, again))
    memory = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    hours = planned_tokens(arm, load_scale("paper")) / tokens * seconds / 3600
    return [
        name,
        f"{1000 * seconds:.0f}",
        f"{model_flops / 1e12:.1f}",
        f"{100 * model_flops / seconds / peak:.1f}",
        f"{100 * (model_flops + again) / seconds / peak:.1f}",
        f"{memory:.1f}",
        f"{hours:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accelerator", default="h100", help="whose bf16 peak counts")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--tiny", action="store_true", help="small shapes on a CPU")
    options = parser.parse_args()
    architecture = load_scale("paper").bases["default"].architecture
    if options.tiny:
        options.device, options.tokens, options.steps = "cpu", 64, 2
        architecture = {**architecture, **TINY}
    peak = load_accelerator(options.accelerator).bf16_tflops * 1e12
    print(machine(options.device))
    print("| step | ms | model TFLOPs | MFU % | HFU % | GB | hours for the paper's tokens |")
    print("|" + "---|" * 7)
    for name in ARMS:
        print("| " + " | ".join(measure(name, architecture, options, peak)) + " |", flush=True)
        gc.collect()
        if options.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    command = [sys.executable, str(Path(__file__).with_name("adapters.py"))]
    if options.tiny:
        command += ["--shape", "64x128x16", "--saved", "64x128x64", "--rounds", "1"]
    else:
        command += ["--device", options.device, "--rounds", "50"]
        command += ["--shape", "3584x3584x2048", "--shape", "3584x18944x2048"]
    print(flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
