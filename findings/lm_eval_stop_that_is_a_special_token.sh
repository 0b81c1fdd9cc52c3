#!/usr/bin/env bash
# Expected: the answer of lm-evaluation-harness's `hf` model to a prompt, decoded greedily in float32
# from a causal model, does not depend on what else is in its batch.
# Seen with lm_eval 0.4.13, transformers 5.23.0, torch 2.13.0 (2026-11-27): where a stop sequence is
# a special token that is not the end of text (`until: ["<|im_end|>"]` on a base model with a chat
# template), the stopping criterion reads answers with special tokens and ends the batch once every
# answer holds it; the text that is cut at stop sequences is decoded without special tokens, holds
# none, and keeps what was generated while others went on.
#   batch size 1: 'c'
#   batch size 2: 'cccccccc'
# Exits 1 if both are equal.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 lm_eval==0.4.13 \
  accelerate==1.15.0 peft==0.21.2
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import sys

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

logging.disable(logging.WARNING)
words = ["<pad>", "<eos>", "<stop>", "a", "b", "c"]
raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>"))
raw.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>",
    additional_special_tokens=["<stop>"],
)
config = LlamaConfig(
    vocab_size=6, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
    num_key_value_heads=1, tie_word_embeddings=False, eos_token_id=1, pad_token_id=0,
    bos_token_id=None,
)
model = LlamaForCausalLM(config).eval()
# Without attention and feed-forward the next token depends on the last one alone:
# a -> c, c -> <stop>, <stop> -> c; b -> b, which never stops.
with torch.no_grad():
    for parameter in model.parameters():
        parameter.zero_()
    for module in model.modules():
        if "RMSNorm" in type(module).__name__:
            module.weight.fill_(1.0)
    model.model.embed_tokens.weight[:, :6] = torch.eye(6)
    for last, following in ((3, 5), (5, 2), (2, 5), (4, 4)):
        model.lm_head.weight[following, last] = 1.0


def answer(size):
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=size)
    asked = [
        Instance("generate_until", {}, (p, {"until": ["<stop>"], "max_gen_toks": 16}), k)
        for k, p in enumerate(("a", "b"))
    ]
    return lm.generate_until(asked, disable_tqdm=True)[0].replace(" ", "")


alone, together = answer(1), answer(2)
print(f"batch size 1: {alone!r}\nbatch size 2: {together!r}")
if alone == together:
    sys.exit("changed: the answer no longer depends on its batch")
PYTHON
