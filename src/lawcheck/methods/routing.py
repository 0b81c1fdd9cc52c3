"""Reading a model's routers and experts, whatever method put them there.

A method whose METHOD says `routes` builds submodules that are a Router; those with experts may
offer their matrices, so that a run's health covers them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lawcheck.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


class Gate(Protocol):
    """record: while it is a list, every forward appends its routing probabilities to it.

    They are [batch, tokens, experts] in float32, and sum to 1 over the experts; detached, unless
    `differentiable` is set.
    """

    record: list[Tensor] | None
    differentiable: bool


@runtime_checkable
class Router(Protocol):
    """A submodule with the gates of one decoder layer."""

    def routing_gates(self) -> Mapping[str, Gate]:
        """Adapter -> its gate, of the adapters in use."""


@runtime_checkable
class ExpertLayer(Protocol):
    """A submodule with low-rank experts."""

    def expert_matrices(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each adapter in use: A [experts or 1, rank, d_in] and B [experts, d_out, rank]."""


@contextlib.contextmanager
def routing_probabilities(model: Any, adapter: str | None = None) -> Iterator[list[Tensor]]:
    """Collect the routing probabilities of the last decoder layer, one tensor per forward.

    Each is as Gate says, on the model's device; padding positions are included.

    adapter: its name; the active one if None. Raises InputError for a model without gates.
    """
    gates = _last_router(model).routing_gates()
    name = adapter if adapter is not None else next(iter(gates), "")
    if name not in gates:
        raise InputError(
            f"routing probabilities: no adapter {name!r} in use in the last gate, found "
            f"{sorted(gates)}; name one of them"
        )
    record: list[Tensor] = []
    gate = gates[name]
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

    handle = _last_router(model).register_forward_hook(stop)
    try:
        with routing_probabilities(model) as record, contextlib.suppress(_ReachedError):
            model(**inputs)
    finally:
        handle.remove()
    (probabilities,) = record
    return probabilities


class _ReachedError(Exception):
    """The last gate has been computed."""


def routers(model: Any) -> list[Any]:
    """Submodules with gates, in the model's order."""
    return [m for m in model.modules() if isinstance(m, Router)]


def _last_router(model: Any) -> Any:
    found = routers(model)
    if not found:
        raise InputError(
            "routing probabilities: the model has no gate; load it with a method that routes"
        )
    return found[-1]
