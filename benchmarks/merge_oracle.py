"""Merges made by mergekit, which tests compare ours with.

    python -m venv /tmp/mergekit && /tmp/mergekit/bin/pip install mergekit==0.1.5
    /tmp/mergekit/bin/python benchmarks/merge_oracle.py tests/merged_by_mergekit.safetensors

mergekit (LGPL-3.0) is no dependency of lawcheck, so this imports nothing of lawcheck. Parents are
drawn from a seed: some tensors of the second lie close to the first's, where SLERP is LERP, some do
not. `slices` writes one slice a layer with the value of each module written out, so that mergekit
interpolates nothing. The file's metadata say what made it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

LAYERS = 5
SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
# Distances of the second parent's tensors, over the size of the first's: LERP, SLERP, far apart.
DISTANCES = (0.001, 0.2, 2.0)
REFERENCE = {"self_attn": [0, 0.5, 0.3, 0.7, 1], "mlp": [1, 0.5, 0.7, 0.3, 0]}
LINEAR = {"self_attn": [0, 0.3, 0.5, 0.7, 1], "mlp": [1, 0.7, 0.5, 0.3, 0]}
# Tied head, schedule, method, slices written out, precision.
CASES: dict[str, tuple[bool, dict[str, list[float]], str, bool, str]] = {
    "tied": (True, REFERENCE, "slerp", False, "float32"),
    "slices": (False, LINEAR, "slerp", True, "float32"),
    "lerp": (False, REFERENCE, "linear", False, "float32"),
    "bfloat16": (False, REFERENCE, "slerp", False, "bfloat16"),
}


def shapes(tied: bool) -> dict[str, tuple[int, ...]]:
    """Of a small Llama's tensors."""
    wide, narrow, inner, words = 8, 4, 12, SIZES["vocab_size"]
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (words, wide)}
    for k in range(LAYERS):
        at = f"model.layers.{k}."
        found |= {
            at + "self_attn.q_proj.weight": (wide, wide),
            at + "self_attn.k_proj.weight": (narrow, wide),
            at + "self_attn.v_proj.weight": (narrow, wide),
            at + "self_attn.o_proj.weight": (wide, wide),
            at + "mlp.gate_proj.weight": (inner, wide),
            at + "mlp.up_proj.weight": (inner, wide),
            at + "mlp.down_proj.weight": (wide, inner),
            at + "input_layernorm.weight": (wide,),
            at + "post_attention_layernorm.weight": (wide,),
        }
    found["model.norm.weight"] = (wide,)
    return found if tied else found | {"lm_head.weight": (words, wide)}


def parents(tied: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Float32 tensors of two models by name."""
    rng = np.random.default_rng(0)
    first = {n: rng.standard_normal(s) for n, s in shapes(tied).items()}
    second = {
        n: t + DISTANCES[k % 3] * rng.standard_normal(t.shape)
        for k, (n, t) in enumerate(first.items())
    }
    one, two = ({n: t.astype(np.float32) for n, t in m.items()} for m in (first, second))
    return one, two


def write_parent(folder: Path, tensors: dict[str, np.ndarray], tied: bool, dtype: str) -> None:
    """A model folder without a tokenizer."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    kind = getattr(torch, dtype)
    rounded = {n: torch.from_numpy(t).to(kind) for n, t in tensors.items()}
    save_file(rounded, folder / "model.safetensors", {"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "tie_word_embeddings": tied,
        "dtype": dtype,
        **SIZES,
    }
    (folder / "config.json").write_text(json.dumps(config))


def gradient(values: list[float], place: float) -> float:
    """Piecewise linear, by a way of its own."""
    return float(np.interp(place, np.linspace(0, 1, len(values)), values))


def configuration(
    one: Path, two: Path, schedule: dict[str, list[float]], method: str, slices: bool, dtype: str
) -> dict[str, Any]:
    """Of mergekit. one: base_model, at t = 0."""

    def values(ts: dict[str, Any], other: float) -> list[dict[str, Any]]:
        return [*({"filter": k, "value": v} for k, v in ts.items()), {"value": other}]

    if method == "linear":
        # The weights of each parent, which mergekit norms.
        away = {k: [1 - t for t in ts] for k, ts in schedule.items()}
        models = [
            {"model": str(one), "parameters": {"weight": values(away, 0.5)}},
            {"model": str(two), "parameters": {"weight": values(schedule, 0.5)}},
        ]
        return {"merge_method": "linear", "models": models, "dtype": dtype}
    ranges = [(k, k + 1) for k in range(LAYERS)] if slices else [(0, LAYERS)]
    written = []
    for start, stop in ranges:
        ts: dict[str, Any] = schedule
        if slices:
            ts = {k: gradient(v, start / (LAYERS - 1)) for k, v in schedule.items()}
        sources = [{"model": str(m), "layer_range": [start, stop]} for m in (one, two)]
        written.append({"sources": sources, "parameters": {"t": values(ts, 0.5)}})
    return {"merge_method": "slerp", "base_model": str(one), "slices": written, "dtype": dtype}


def merge(configured: dict[str, Any], out: Path) -> None:
    """By mergekit, into a folder."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    run_merge(MergeConfiguration.model_validate(configured), str(out), options)


def main() -> None:
    from safetensors.torch import load_file, save_file

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for name, (tied, schedule, method, slices, dtype) in CASES.items():
            folders = [Path(place, name, part) for part in ("one", "two")]
            for folder, tensors in zip(folders, parents(tied), strict=True):
                write_parent(folder, tensors, tied, dtype)
            merge(
                configuration(*folders, schedule, method, slices, dtype), Path(place, name, "out")
            )
            for path in sorted(Path(place, name, "out").glob("*.safetensors")):
                found |= {f"{name}/{n}": t for n, t in load_file(path).items()}
    packages = ("mergekit", "torch", "transformers", "safetensors", "numpy")
    made = {p: importlib.metadata.version(p) for p in packages}
    save_file(found, out, {**made, "python": platform.python_version()})
    print(f"{len(found)} tensors by {made}")


if __name__ == "__main__":
    main()
