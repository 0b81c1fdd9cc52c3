#!/usr/bin/env bash
# Expected: `from_pretrained(gguf_file=...)` gives the model of the file. Llama 3.1, 3.2 and 3.3 scale
# the slow frequencies of their rotary embedding; llama.cpp's converter keeps the factors as a tensor,
# `rope_freqs.weight`, which llama.cpp applies.
# Seen with transformers 5.23.0, gguf 0.19.0, torch 2.13.0 (2026-11-28): the tensor is left out, and
# the configuration says `rope_type: default`, without an error or a warning. The attention of such a
# model is another one from some hundred tokens on. A random Llama with the head size and the scaling
# of Llama 3.2 (theta 500,000, factor 32), written as float32; difference of the last 16 positions'
# logits, of their size, and share of other most likely tokens:
#     16 tokens: 0.01, 0.00
#    128 tokens: 0.11, 0.06
#   1024 tokens: 0.83, 0.56
#   4096 tokens: 1.13, 0.81
#   the same model without scaling: no difference from the loaded one at any length
# Exits 1 if the loaded model scales, or says that it does not.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 gguf==0.19.0 \
  accelerate==1.15.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import logging
import math
import sys

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers import logging as settings

THETA, FACTOR, SLOW, FAST, TRAINED = 500000.0, 32.0, 1.0, 4.0, 8192
HEADS, SIZE, WORDS = 2, 64, 40
shape = {
    "vocab_size": WORDS, "hidden_size": HEADS * SIZE, "intermediate_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": HEADS, "num_key_value_heads": HEADS,
    "head_dim": SIZE, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "bos_token_id": 0,
    "eos_token_id": 1, "tie_word_embeddings": False, "initializer_range": 0.2,
}
scaling = {
    "rope_type": "llama3", "rope_theta": THETA, "factor": FACTOR, "low_freq_factor": SLOW,
    "high_freq_factor": FAST, "original_max_position_embeddings": TRAINED,
}
torch.manual_seed(0)
right = LlamaForCausalLM(LlamaConfig(**shape, rope_parameters=scaling)).eval()
plain = LlamaConfig(**shape, rope_parameters={"rope_type": "default", "rope_theta": THETA})
unscaled = LlamaForCausalLM(plain).eval()
unscaled.load_state_dict(right.state_dict())

# As llama.cpp's convert_hf_to_gguf.py writes a Llama 3.
factors = []
for k in range(0, SIZE, 2):
    length = 2 * math.pi * THETA ** (k / SIZE)
    smooth = (TRAINED / length - SLOW) / (FAST - SLOW)
    between = 1 / ((1 - smooth) / FACTOR + smooth)
    factors.append(1 if smooth > 1 else FACTOR if smooth < 0 else between)
part = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "embed_tokens": "token_embd", "norm": "output_norm",
    "lm_head": "output",
}
writer = gguf.GGUFWriter("model.gguf", "llama")
writer.add_context_length(131072)
writer.add_embedding_length(HEADS * SIZE)
writer.add_block_count(2)
writer.add_feed_forward_length(64)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_freq_base(THETA)
writer.add_rope_dimension_count(SIZE)
writer.add_vocab_size(WORDS)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("llama-bpe")
writer.add_token_list([f"t{k}" for k in range(WORDS)])
writer.add_token_types([1] * WORDS)
writer.add_token_merges([])
writer.add_bos_token_id(0)
writer.add_eos_token_id(1)
writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
for name, tensor in right.state_dict().items():
    *block, name = name.removesuffix(".weight").removeprefix("model.").split(".", 2)[:3]
    values = tensor.numpy()
    if name in ("self_attn.q_proj", "self_attn.k_proj"):
        # llama.cpp rotates neighbours, transformers a head's first half with its second.
        halves = values.reshape(HEADS, 2, SIZE // 2, -1)
        values = halves.swapaxes(1, 2).reshape(values.shape)
    place = f"blk.{block[1]}.{part[name]}" if block else part[name]
    writer.add_tensor(f"{place}.weight", np.ascontiguousarray(values))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

warnings = []


class Keep(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())


settings.disable_progress_bar()
logging.getLogger("transformers").addHandler(Keep(logging.WARNING))
loaded = AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf", dtype=torch.float32)
loaded.eval()
said = [text for text in warnings if "rope" in text.lower() or "rotary" in text.lower()]
print(f"rope_type {loaded.config.rope_parameters['rope_type']!r}, {len(warnings)} warnings")
differences = []
for count in (16, 128, 1024, 4096):
    tokens = torch.randint(0, WORDS, (1, count), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted, found, without = (m(tokens).logits[0, -16:] for m in (right, loaded, unscaled))
    differences.append(float((found - wanted).norm() / wanted.norm()))
    other = float((found.argmax(-1) != wanted.argmax(-1)).float().mean())
    same = float((found - without).norm() / without.norm())
    print(f"{count} tokens: {differences[-1]:.2f}, {other:.2f}; from the unscaled {same:.2f}")
if differences[-1] < 1e-3:
    sys.exit("changed: the scaling is applied")
if said:
    sys.exit(f"changed: it says {said[0]!r}")
PYTHON
