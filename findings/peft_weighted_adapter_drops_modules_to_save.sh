#!/usr/bin/env bash
# Expected: the result of peft's `add_weighted_adapter(["a"], [1.0], ...)`, or of "a" with weight 1 and
# "b" with weight 0, computes what "a" does. What cannot be combined is refused: two adapters that both
# train `modules_to_save` are.
# Seen with peft 0.21.2, transformers 5.23.0, torch 2.13.0 (2026-11-28): of one adapter that trains a
# module whole (`modules_to_save=["lm_head"]`, usual where tokens were added) the result takes the
# base's module instead of the trained one, without an error or a warning. LoRA's part is right.
# Distance of the result's logits to those of "a", of their size, under `linear`, `cat` and `svd`:
#   modules_to_save=None:        0.000 of a; of a and b; of b and a
#   modules_to_save=["lm_head"]: 0.772 of a; of a and b; of b and a
# Exits 1 if the result computes what "a" does, or is refused.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 peft==0.21.2
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

tokens = torch.arange(2, 12)[None]


def logits(model, adapter):
    model.set_adapter(adapter)
    with torch.no_grad():
        return model.eval()(tokens).logits


def distances(saved):
    """Of combinations that should be adapter "a", which trains the modules in `saved` whole."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=False,
        )
    )
    options = {"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}
    model = get_peft_model(base, LoraConfig(modules_to_save=saved, **options), adapter_name="a")
    model.add_adapter("b", LoraConfig(**options))
    # Stands for training.
    for name, parameter in model.named_parameters():
        if "modules_to_save.a" in name:
            parameter.data += 0.02 * torch.randn_like(parameter)
    target = logits(model, "a")
    found = {}
    for kind in ("linear", "cat", "svd"):
        for given in ({"a": 1.0}, {"a": 1.0, "b": 0.0}, {"b": 0.0, "a": 1.0}):
            name = f"{kind}-{'-'.join(given)}"
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                model.add_weighted_adapter(
                    list(given), list(given.values()), name, combination_type=kind
                )
            away = (logits(model, name) - target).norm() / target.norm()
            found[name] = float(away)
            print(f"modules_to_save={saved}, {kind} of {list(given)}: {away:.3f}, "
                  f"{len(said)} warnings")
    if saved:
        model.add_adapter("c", LoraConfig(modules_to_save=saved, **options))
        try:
            model.add_weighted_adapter(["a", "c"], [1.0, 0.0], "both", combination_type="cat")
        except ValueError as error:
            print(f"two that train it: {error}")
    return found


if max(distances(None).values()) > 1e-3:
    sys.exit("without modules_to_save the result is not the adapter: nothing is measured")
if min(distances(["lm_head"]).values()) < 1e-3:
    sys.exit("changed: the result computes what the adapter does")
PYTHON
