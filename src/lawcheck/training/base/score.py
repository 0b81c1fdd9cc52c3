"""Quick scores of a base model on a world's items, to see that its level leaves room both ways.

Judged numbers come from lm-evaluation-harness; this check needs no task files and takes seconds.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from lawcheck.declare import discovery
from lawcheck.declare.scale import Scale
from lawcheck.disciplines.general.constraints import follows
from lawcheck.proxy_world import choice_prompt
from lawcheck.training.base.rows import Sample, collate
from lawcheck.training.base.tokenizer import EOS, encode_samples, load_tokenizer
from lawcheck.training.device import require_device

BATCH = 256


def score_base(
    folder: Path, scale: Scale, *, items: int = 1000, split: str = "eval"
) -> dict[str, float]:
    """Share of right items per discipline, companions included. items: per discipline.

    Multiple choice by the log-likelihood of the option; math by greedy generation and exact
    match of what follows `####`; instructions by their checkers, all of a prompt's together.
    """
    tokenizer = load_tokenizer(folder)
    device = require_device(scale.hardware)
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True).eval().to(device)  # type: ignore[arg-type]
    scores = {}
    for name, discipline in discovery.disciplines().items():
        if scale.world not in discipline.worlds:
            continue
        source = importlib.import_module(discipline.worlds[scale.world].source)
        rows = source.samples(split, items)
        right = item_scores(model, tokenizer, rows, scale.evaluation.max_new_tokens)
        scores[name] = sum(right) / len(right)
    return scores


@torch.inference_mode()
def item_scores(
    model: PreTrainedModel, tokenizer: Any, rows: list[dict[str, Any]], max_new_tokens: int
) -> list[bool]:
    """Whether each item of one discipline is answered right."""
    if "choices" in rows[0]:
        return _choices(model, tokenizer, rows)
    prompts = [str(row.get("question", row.get("prompt"))) for row in rows]
    answers = generate(model, tokenizer, prompts, max_new_tokens)
    if "instruction_id_list" in rows[0]:
        return [
            all(
                map(follows, [text] * len(row["kwargs"]), row["instruction_id_list"], row["kwargs"])
            )
            for row, text in zip(rows, answers, strict=True)
        ]
    return [
        text.partition("####")[2].strip() == row["answer"]
        for row, text in zip(rows, answers, strict=True)
    ]


def _choices(model: PreTrainedModel, tokenizer: Any, rows: list[dict[str, Any]]) -> list[bool]:
    options = [
        {
            "id": row["id"],
            "prompt": choice_prompt(row["question"], row["choices"]),
            "response": choice,
        }
        for row in rows
        for choice in row["choices"]
    ]
    eos = tokenizer.eos_token_id
    # The harness scores the option's own tokens, without EOS.
    samples = [
        Sample(option["id"], ids[:-1] if ids[-1] == eos else ids, start)
        for option, (ids, start) in zip(options, encode_samples(tokenizer, options), strict=True)
    ]
    likelihood = [0.0] * len(samples)
    order = sorted(range(len(samples)), key=lambda i: len(samples[i].ids))
    for begin in range(0, len(order), BATCH):
        chosen = order[begin : begin + BATCH]
        batch = collate([samples[i] for i in chosen], tokenizer.pad_token_id).to(model.device)
        hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[batch.rows, batch.columns])
        gains = -torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
        sums = torch.zeros(len(chosen), device=model.device).index_add_(0, batch.rows, gains)
        for i, value in zip(chosen, sums.tolist(), strict=True):
            likelihood[i] = value
    right, at = [], 0
    for row in rows:
        values = likelihood[at : at + len(row["choices"])]
        right.append(values.index(max(values)) == row["answer"])
        at += len(values)
    return right


def generate(
    model: PreTrainedModel, tokenizer: Any, prompts: list[str], max_new_tokens: int
) -> list[str]:
    """Greedy answers. Prompts of equal length share a batch, so that none is padded."""
    chats = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in prompts
    ]
    by_length: dict[int, list[int]] = defaultdict(list)
    encoded = tokenizer(chats, add_special_tokens=False)["input_ids"]
    for i, ids in enumerate(encoded):
        by_length[len(ids)].append(i)
    answers = [""] * len(prompts)
    for length, members in sorted(by_length.items()):
        ids = torch.tensor([encoded[i] for i in members], device=model.device)
        made = model.generate(  # type: ignore[operator]
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
        )
        for i, text in zip(members, tokenizer.batch_decode(made[:, length:]), strict=True):
            answers[i] = text.partition(EOS)[0].strip()
    return answers
