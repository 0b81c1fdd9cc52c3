#!/usr/bin/env bash
# Expected: in transformers 5 a causal model that is given no attention mask, no cache and position
# ids that restart in a row keeps the packed samples apart, since masking_utils makes a
# block-diagonal mask from such position ids (find_packed_sequence_indices).
# Seen with transformers 5.23.0, torch 2.13.0 (2026-11-27), attention `eager`: Llama, Qwen3-MoE and
# Gemma 2 do. GPT-OSS, Falcon and OPT take the same position ids and say nothing; they do not hand
# them to the mask, and a sample sees its neighbour.
#   largest change of the second sample's logits when the first is exchanged, of their size
#   llama 0.00, qwen3_moe 0.00, gemma2 0.00, gpt_oss 1.13, falcon 0.36, opt 1.12
# Exits 1 if one of the first three leaks, or one of the others keeps samples apart.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM, logging

logging.set_verbosity_error()
plain = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0, "tie_word_embeddings": False,
}
llama = {**plain, "num_key_value_heads": 2, "intermediate_size": 48, "head_dim": 8}
experts = {"num_experts_per_tok": 1, "moe_intermediate_size": 16}
apart = {
    "llama": llama,
    "qwen3_moe": {**llama, **experts, "num_experts": 2},
    "gemma2": llama,
}
mixing = {
    "gpt_oss": {**llama, "num_experts_per_tok": 1, "num_local_experts": 2},
    "falcon": plain,
    "opt": {**plain, "ffn_dim": 48, "word_embed_proj_dim": 32},
}


def moved(kind, fields):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **fields)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(0, 0.2)
    one, other, sample = torch.randint(2, 64, (3, 12))
    places = torch.arange(12).repeat(2)[None]
    with torch.no_grad():
        before, after = (
            model(
                input_ids=torch.cat([first, sample])[None], position_ids=places, use_cache=False
            ).logits[0, 12:]
            for first in (one, other)
        )
    return float((before - after).abs().max() / before.abs().max())


found = {kind: moved(kind, fields) for kind, fields in {**apart, **mixing}.items()}
print(", ".join(f"{kind} {value:.2f}" for kind, value in found.items()))
if max(found[kind] for kind in apart) > 1e-4 or min(found[kind] for kind in mixing) < 1e-2:
    sys.exit("changed: other architectures keep packed samples apart now")
PYTHON
