"""A base model of some thousand parameters, its scale and its rows, for tests of the stages."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lawcheck.declare.design import Recipe, Run, arm
from lawcheck.declare.scale import Scale
from lawcheck.training.base.tokenizer import build_words

# A second thread makes models of this size slower, and bits differ with the number of threads.
torch.set_num_threads(1)

WORDS = [f"w{i}" for i in range(40)]


def make_base(folder: Path, seed: int = 0, words: Iterable[str] = ()) -> Path:
    """words: of the vocabulary, beside WORDS."""
    tokenizer = build_words([*WORDS, *words])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    # Larger weights than usual, so that the answers of a random model differ clearly.
    config.initializer_range = 0.3
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """The response repeats the prompt's first words: learnable, of varying length."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        words = rng.choices(WORDS[:10], k=rng.randint(3, 20))
        rows.append(
            {"id": f"r{i}", "prompt": " ".join(words), "response": " ".join(words[: 1 + i % 3])}
        )
    return rows


def make_scale(**parts: dict[str, Any]) -> Scale:
    """parts: keys that replace defaults, per section."""
    sections: dict[str, dict[str, Any]] = {
        "corpus": {"size": 1e-3, "general_pool": 0},
        "adapter": {"rank": 2},
        "training": {"batch_size": 8, "max_length": 64},
        "evaluation": {"items": None, "max_new_tokens": 8},
        "hardware": {"micro_batch": 8, "evaluation_batch": 16},
    }
    merged = {name: {**section, **parts.get(name, {})} for name, section in sections.items()}
    method = {"learning_rate": 1e-2, "weight_decay": 0.01, "warmup_ratio": 0.1}
    names = ("full", "lora", "lora_moe", "lora_comp", "mola", "mtl_lora", "selector")
    return Scale.model_validate(
        {
            "name": "tiny",
            "title": "tests",
            "world": "proxy",
            "claims": False,
            "seeds": (0,),
            "bases": {"default": {"kind": "pretrained", "model": "unused", "architecture": {}}},
            "methods": {name: {**method, **parts.get("method", {})} for name in names},
            **merged,
        }
    )


def make_run(method: str = "lora", seed: int = 0, **design: Any) -> Run:
    return Run(arm=arm(method, Recipe(), **design), seed=seed, scale="tiny", digest="0" * 12)
