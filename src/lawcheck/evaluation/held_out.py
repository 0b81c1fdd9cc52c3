"""Mean loss per token of the items of a split, each written out with its right answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lawcheck.declare import discovery
from lawcheck.evaluation.tasks import PlacedTask
from lawcheck.training.data import IGNORED, pad
from lawcheck.training.learnt import learnt_tokens


def held_out_loss(
    model: Any, tokenizer: Any, tasks: list[PlacedTask], objective: str, batch: int, longest: int
) -> float:
    """In nats, over all tokens that the objective learns. batch: texts at a time.

    longest: tokens, beyond which texts are cut. The objective has no pairs.
    """
    module = discovery.objective_module(objective)
    total, tokens = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for filled in written(tokenizer, tasks, objective, batch, longest):
            inputs = {k: v.to(model.device) for k, v in filled.items()}
            learnt, _ = learnt_tokens(model, model, inputs)
            total += float(module.loss(learnt, None)[0])
            tokens += int(module.counts(inputs)[0])
    return total / tokens


@torch.no_grad()
def answered(
    model: Any, batches: Sequence[Mapping[str, Any]], most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(tokens, vocabulary) logits where tokens of right answers are predicted, and those tokens.

    batches: of `written`. most: tokens; of more, evenly spaced ones.
    """
    step = max(1, -(-sum(int((b["labels"] != IGNORED).sum()) for b in batches) // most))
    logits, labels, read = [], [], 0
    for batch in batches:
        inputs = {k: v.to(model.device) for k, v in batch.items()}
        learnt, _ = learnt_tokens(model, model, inputs)
        first = -read % step
        logits.append(learnt.logits[first::step])
        labels.append(learnt.labels[first::step])
        read += len(learnt.labels)
    return torch.cat(logits), torch.cat(labels)


def written(
    tokenizer: Any, tasks: list[PlacedTask], objective: str, batch: int, longest: int
) -> Iterator[dict[str, Any]]:
    """Micro-batches of the items with their right answers, as an objective learns them."""
    encoded = discovery.objective_module(objective).encode(tokenizer, list(_rows(tasks)), longest)
    order = np.argsort(-encoded.lengths, kind="stable")
    for begin in range(0, len(order), batch):
        yield pad(encoded, order[begin : begin + batch])


def _rows(tasks: list[PlacedTask]) -> Iterator[dict[str, str]]:
    for p in tasks:
        for k, document in enumerate(p.task.eval_docs):
            target = p.task.doc_to_target(document)
            if p.task.OUTPUT_TYPE == "multiple_choice":
                target = p.task.doc_to_choice(document)[int(target)]
            yield {
                "id": f"{p.declared.name}.{k}",
                "prompt": str(p.task.doc_to_text(document)),
                "response": str(target),
            }
