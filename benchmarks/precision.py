"""Arithmetic beside float32 with eager attention: log-likelihoods, gradients, time.

    python benchmarks/precision.py --model FOLDER --rows FILE [--device cuda] [--texts 64]
    python benchmarks/precision.py --tiny

FILE holds a prompt and a response per line (a corpus's `*.train.jsonl`). Texts are read one by
one, without padding, so that the flash kernel of torch takes them; the package flash-attn is
measured where it is installed. Columns: mean nats a token, and against the first row the mean and
largest difference of a token's log-likelihood, tokens whose likeliest next token is another,
standard deviation of a whole text's difference, and the norm of the difference of gradients over
that of the gradient. ms: of a text forwards and backwards.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from measuring import clock, machine, table
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import is_flash_attn_2_available

FLASH, MATH = SDPBackend.FLASH_ATTENTION, SDPBackend.MATH
# Name -> precision, attention of transformers, kernel of torch where that is sdpa.
WAYS: dict[str, tuple[torch.dtype, str, SDPBackend | None]] = {
    "float32, eager": (torch.float32, "eager", None),
    "float32, sdpa math": (torch.float32, "sdpa", MATH),
    "bfloat16, eager": (torch.bfloat16, "eager", None),
    "bfloat16, sdpa math": (torch.bfloat16, "sdpa", MATH),
    "bfloat16, sdpa flash": (torch.bfloat16, "sdpa", FLASH),
    "bfloat16, flash-attn": (torch.bfloat16, "flash_attention_2", None),
}
HEAD = ["arithmetic", "nats", "mean", "largest", "other next token", "text", "gradient", "ms"]


def load(options: argparse.Namespace, dtype: torch.dtype, attention: str) -> Any:
    if options.tiny:
        sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300}
        torch.manual_seed(0)
        config = LlamaConfig(**sizes, **heads, initializer_range=0.2)
        config._attn_implementation = attention
        model: Any = LlamaForCausalLM(config).to(dtype)
    else:
        model = AutoModelForCausalLM.from_pretrained(
            options.model, dtype=dtype, attn_implementation=attention, use_safetensors=True
        )
    return model.to(options.device).eval()


def texts(options: argparse.Namespace) -> list[torch.Tensor]:
    """Token ids, a row each."""
    if options.tiny:
        generator = torch.Generator().manual_seed(0)
        return [torch.randint(300, (1, 24), generator=generator) for _ in range(options.texts)]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    found = []
    for line in options.rows.read_text(encoding="utf-8").splitlines()[: options.texts]:
        row = json.loads(line)
        ids = tokenizer(f"{row['prompt']}\n{row['response']}", return_tensors="pt").input_ids
        found.append(ids[:, :1024])
    return found


def measure(
    options: argparse.Namespace, way: str, ids: list[torch.Tensor]
) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor, float]:
    """Per text log-likelihoods and next tokens; the gradient of all of them; ms a text."""
    dtype, attention, kernel = WAYS[way]
    model = load(options, dtype, attention)
    chosen: Iterator[Any] = sdpa_kernel(kernel) if kernel else contextlib.nullcontext()  # type: ignore[assignment]
    gains, likeliest, times = [], [], []
    with chosen:  # type: ignore[attr-defined]
        for row in ids:
            row = row.to(options.device)
            began = clock(options.device)
            logits = model(input_ids=row, use_cache=False).logits[0, :-1].float()
            gain = logits.log_softmax(-1).gather(-1, row[0, 1:, None])[:, 0]
            (-gain.mean() / len(ids)).backward()
            times.append(clock(options.device) - began)
            gains.append(gain.detach().double().cpu())
            likeliest.append(logits.argmax(-1).cpu())
    gradient = torch.cat([p.grad.float().flatten() for p in model.parameters()]).cpu()
    return gains, likeliest, gradient, 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--tiny", action="store_true", help="a small random model on a CPU")
    options = parser.parse_args()
    if not options.tiny and not (options.model and options.rows):
        parser.error("name --model and --rows, or --tiny")
    # The first row is to be float32 throughout.
    torch.backends.cuda.matmul.allow_tf32 = False
    ids = texts(options)
    print(machine(options.device))
    print(table(HEAD, []), flush=True)
    first = None
    for way in WAYS:
        if way.endswith("flash-attn") and not (
            options.device == "cuda" and is_flash_attn_2_available()
        ):
            print(f"| {way} | not measured: not installed, or no accelerator |" + " |" * 6)
            continue
        gains, likeliest, gradient, ms = measure(options, way, ids)
        first = first or (gains, likeliest, gradient)
        apart = [a - b for a, b in zip(gains, first[0], strict=True)]
        tokens = torch.cat(apart).abs()
        other = sum(int((a != b).sum()) for a, b in zip(likeliest, first[1], strict=True))
        cells = [
            way,
            f"{-torch.cat(gains).mean():.4f}",
            f"{tokens.mean():.1e}",
            f"{tokens.max():.1e}",
            f"{other} of {len(tokens)}",
            f"{statistics.stdev(float(a.sum()) for a in apart):.1e}",
            f"{(gradient - first[2]).norm() / first[2].norm():.1e}",
            f"{ms:.1f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
