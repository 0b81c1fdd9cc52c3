"""Where a routed model sends the tokens of each discipline's questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from lawcheck.evaluation.tasks import PlacedTask
from lawcheck.methods.routing import route

# Prompts per task: the mean over prompts is steady long before.
PROMPTS = 200


def expert_shares(placed: PlacedTask, lm: Any) -> list[float]:
    """Mean routing probability per expert at the final feed-forward layer; sums to 1.

    Mean over a prompt's tokens first, then over at most PROMPTS prompts (the task's first ones).
    """
    prompts = [lm.tok_encode(text) for text in _prompts(placed)]
    prompts.sort(key=len, reverse=True)
    means = []
    for at in range(0, len(prompts), int(lm.batch_size)):
        batch = prompts[at : at + int(lm.batch_size)]
        # Right padding: a causal model never looks at it, and its own tokens are not counted.
        ids = torch.zeros((len(batch), len(batch[0])), dtype=torch.long, device=lm.device)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
        with torch.inference_mode():
            probabilities = route(lm.model, input_ids=ids, use_cache=False)
        for row, tokens in enumerate(batch):
            means.append(probabilities[row, : len(tokens)].double().mean(dim=0))
    return torch.stack(means).mean(dim=0).tolist()


def _prompts(placed: PlacedTask) -> Iterator[str]:
    seen: set[int] = set()
    for instance in placed.task.instances:
        if instance.doc_id not in seen:
            seen.add(instance.doc_id)
            yield instance.args[0]
        if len(seen) == PROMPTS:
            return
