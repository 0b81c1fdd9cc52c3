"""A positive control: every gate of a routed model is told which discipline a token is of.

Beside the response's cross-entropy, each gate learns to send all tokens of discipline k to expert
k. At evaluation nobody tells it: what it then knows, it reads from the question.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lawcheck.declare.objective import Objective
from lawcheck.errors import InputError
from lawcheck.training.objectives.response import counts, loss

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OBJECTIVE", "counts", "encode", "loss", "prepare"]

OBJECTIVE = Objective(
    name="labelled",
    title="Supervised fine-tuning with routers that are told disciplines",
    version=1,
    learns="the response and EOS, and in the gates the discipline of every token",
    columns=("prompt", "response", "discipline"),
    like="response",
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    """Samples whose tasks are the disciplines, in the order of their names."""
    from lawcheck.corpus import encoding

    rows = [row for some in encoding.chunks(rows, ("id", *OBJECTIVE.columns)) for row in some]
    found = encoding.encode(tokenizer, rows, max_length, known)
    named = ({"id": row["id"], "task": row["discipline"]} for row in rows)
    return dataclasses.replace(found, tasks=encoding.task_places(found.ids, named))


def prepare(model: Any) -> None:
    """Give a routed model tell_tasks and an auxiliary_loss of its gates.

    The loss is the mean over tokens and gates of -log p(own expert). Discipline k's expert is k
    modulo their number. Raises InputError for a model without gates.
    """
    import torch

    from lawcheck.methods.routing import routers

    gates = [gate for router in routers(model) for gate in router.routing_gates().values()]
    if not gates:
        raise InputError(
            "objective 'labelled': the model has no gate to tell disciplines to; take a method "
            "that routes, such as lora_moe"
        )
    told: dict[str, Tensor] = {}

    def tell(places: Tensor) -> None:
        told["places"] = places
        for gate in gates:
            gate.record, gate.differentiable = [], True

    def auxiliary_loss() -> Tensor:
        places = told["places"]
        learnt = places >= 0
        losses = []
        for gate in gates:
            probabilities = gate.record[0].flatten(0, -2)[learnt.flatten()]
            own = places[learnt] % probabilities.shape[-1]
            chosen = probabilities.gather(1, own[:, None]).clamp(min=torch.finfo().tiny)
            losses.append(-chosen.log().mean() if len(own) else probabilities.sum() * 0)
            # Before the backward pass, which may compute a checkpointed layer again.
            gate.record = None
        return torch.stack(losses).mean()

    model.tell_tasks, model.auxiliary_loss = tell, auxiliary_loss
