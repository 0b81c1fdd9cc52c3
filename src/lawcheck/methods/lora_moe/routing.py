"""Recording where tokens are sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from lawcheck.errors import InputError
from lawcheck.methods.lora_moe.layer import LoraMoeGate


@contextlib.contextmanager
def routing_probabilities(model: Any, adapter: str | None = None) -> Iterator[list[Tensor]]:
    """Collect the routing probabilities of the last decoder layer, one tensor per forward.

    Each is [batch, tokens, experts] in float32, detached, on the model's device, and sums to 1
    over the experts; padding positions are included. With `rank_route` it is the mean over the
    rank components, with `shared_expert` it holds the routed experts only.

    adapter: its name; the active one if None. Raises InputError for a model without gates.
    """
    last = _last_gate(model)
    name = adapter if adapter is not None else next(iter(last.active_adapters), "")
    if name not in last.lora_moe_gate:
        raise InputError(
            f"routing probabilities: no adapter {name!r} in the last gate, found "
            f"{sorted(last.lora_moe_gate)}; name one of them"
        )
    record: list[Tensor] = []
    gate: Any = last.lora_moe_gate[name]
    before, gate.record = gate.record, record
    try:
        yield record
    finally:
        gate.record = before


def route(model: Any, **inputs: Any) -> Tensor:
    """Routing probabilities of the active adapter as above, of one forward that ends at the gate.

    What lies behind the last gate, a whole decoder layer and the output embedding, is not
    computed: a third of the forward at proxy scale.
    """

    def stop(*_: Any) -> None:
        raise _ReachedError

    handle = _last_gate(model).register_forward_hook(stop)
    try:
        with routing_probabilities(model) as record, contextlib.suppress(_ReachedError):
            model(**inputs)
    finally:
        handle.remove()
    (probabilities,) = record
    return probabilities


class _ReachedError(Exception):
    """The last gate has been computed."""


def _last_gate(model: Any) -> LoraMoeGate:
    gates = [m for m in model.modules() if isinstance(m, LoraMoeGate)]
    if not gates:
        raise InputError(
            "routing probabilities: the model has no gate; load it with lora_moe or lora_comp"
        )
    return gates[-1]
