"""Mean loss per token of the items of a split, each written out with its right answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from lawcheck.declare import discovery
from lawcheck.evaluation.tasks import PlacedTask
from lawcheck.training.data import pad
from lawcheck.training.learnt import learnt_tokens


def held_out_loss(
    model: Any, tokenizer: Any, tasks: list[PlacedTask], objective: str, batch: int, longest: int
) -> float:
    """In nats, over all tokens that the objective learns. batch: texts at a time.

    longest: tokens, beyond which texts are cut. The objective has no pairs.
    """
    module = discovery.objective_module(objective)
    encoded = module.encode(tokenizer, list(_rows(tasks)), longest)
    order = np.argsort(-encoded.lengths, kind="stable")
    total, tokens = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(order), batch):
            filled = pad(encoded, order[begin : begin + batch])
            inputs = {k: v.to(model.device) for k, v in filled.items()}
            learnt, _ = learnt_tokens(model, model, inputs)
            total += float(module.loss(learnt, None)[0])
            tokens += int(module.counts(inputs)[0])
    return total / tokens


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
