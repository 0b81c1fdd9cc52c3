#!/usr/bin/env bash
# Expected: of a SLERP merge with mergekit's gradient `t: [0, 1]`, which goes from the first model at
# the first layer to the second at the last, embeddings come from the first model, final norm and
# output head, behind the last layer, from the second.
# Seen with mergekit 0.1.5, transformers 5.23.0, torch 2.13.0 (2026-11-28): tensors outside layers take
# the gradient's first value, on both ends. The last layer is the second model's, norm and head behind
# it are the first's. Of `[1, 0]` they are the second's.
#   t: [0, 1]: embeddings first, layer 0 first, layer 3 second, norm first, head first
#   t: [1, 0]: embeddings second, layer 0 second, layer 3 first, norm second, head second
# A slice of one layer takes the gradient's last value instead:
#   t: [0, 1] over one layer: embeddings first, layer 0 second, norm first, head first
# Exits 1 if norm and head follow the last layer.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 mergekit==0.1.5
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from transformers import LlamaConfig, LlamaForCausalLM, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
PARTS = {
    "embeddings": "model.embed_tokens.weight",
    "layer 0": "model.layers.0.mlp.up_proj.weight",
    "layer 3": "model.layers.3.mlp.up_proj.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
}


def merged(name, gradient, layers):
    """The model that each part is taken from."""
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=False,
    )
    states = {}
    for seed, model in enumerate(("first", "second")):
        torch.manual_seed(seed)
        made = LlamaForCausalLM(config)
        made.model.norm.weight.data += 0.1 * torch.rand(16)
        made.save_pretrained(f"./{name}-{model}")
        states[model] = made.state_dict()
    declared = {
        "merge_method": "slerp",
        "base_model": f"./{name}-first",
        "models": [{"model": f"./{name}-{model}"} for model in states],
        "parameters": {"t": gradient},
        "dtype": "float32",
    }
    options = MergeOptions(quiet=True, copy_tokenizer=False)
    run_merge(MergeConfiguration.model_validate(declared), f"./{name}", options)
    found = LlamaForCausalLM.from_pretrained(f"./{name}").state_dict()
    taken = {}
    for part, tensor in PARTS.items():
        if tensor in found:
            fits = [m for m in states if torch.equal(found[tensor], states[m][tensor])]
            taken[part] = fits[0] if fits else "both"
    print(f"t: {gradient}, {layers} layers:", ", ".join(f"{k} {v}" for k, v in taken.items()))
    return taken


up, down = merged("up", [0, 1], 4), merged("down", [1, 0], 4)
merged("one", [0, 1], 1)
if up["layer 3"] != "second" or down["layer 3"] != "first":
    sys.exit("the last layer does not have the gradient's last value: nothing is measured")
if up["head"] == "second" or up["norm"] == "second" or down["head"] == "first":
    sys.exit("changed: norm and head follow the last layer")
PYTHON
