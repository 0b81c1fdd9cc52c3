"""What arms are made from: the arms above them, and whether their methods can take those."""

from __future__ import annotations

from collections.abc import Iterable

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm
from lawcheck.declare.method import PARENTS, Method
from lawcheck.errors import InputError


def lineage(arms: Iterable[Arm]) -> tuple[Arm, ...]:
    """The arms and all that they are made from, parents first, each once."""
    found: dict[Arm, None] = {}

    def add(arm: Arm) -> None:
        if arm in found:
            return
        # A law on somebody's own scores may name methods that are not here.
        declared = discovery.methods().get(arm.method)
        implied = declared.implied if declared and not arm.parents else None
        above = (
            [implied(arm, d) for d in discovery.disciplines()]
            if implied and arm.recipe
            else arm.parents
        )
        for parent in dict.fromkeys(above):
            add(parent)
        found[arm] = None

    for arm in arms:
        add(arm)
    return tuple(found)


def check_parents(arm: Arm) -> None:
    """Raises InputError for an arm that its method cannot make from its parents."""
    method = discovery.method(arm.method)
    low, high = PARENTS[method.takes]
    implied = method.implied is not None and not arm.parents
    if not implied and not low <= len(arm.parents) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise InputError(
            f"arm {arm.name!r}: {len(arm.parents)} parents, method {method.name!r} takes "
            f"{wanted}; name them under parents"
        )
    if arm.recipe is None and (method.trains_rows if arm.parents else method.takes != "base"):
        raise InputError(
            f"arm {arm.name!r}: no recipe, and method {method.name!r} needs one; give it one"
        )
    names = [p.name for p in arm.parents]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(
            f"arm {arm.name!r}: two of its parents are called {twice!r}; name distinct arms"
        )
    for parent in arm.parents:
        _check_parent(arm, method, parent)
    starts = {_begun_from(p) for p in arm.parents}
    if method.takes == "adapters" and len(starts) > 1:
        raise InputError(
            f"arm {arm.name!r}: its parents are adapters of {len(starts)} different models, "
            f"expected one; give the parents the same parent"
        )


def _check_parent(arm: Arm, method: Method, parent: Arm) -> None:
    theirs = discovery.method(parent.method)
    found = f"method {theirs.name!r}"
    if not parent.has_weights:
        found, expected = "the base model as it is", "a trained arm"
    elif method.takes == "models" and not (theirs.group == "full" or theirs.takes == "models"):
        expected = "whole models (group 'full', or a merge)"
    elif method.takes in ("adapter", "adapters") and theirs.group != "peft":
        expected = "adapters (group 'peft')"
    elif method.takes in ("base", "model") and theirs.routes:
        expected = "one whose adapter can be merged into its model, such as lora, or full"
    else:
        return
    raise InputError(
        f"arm {arm.name!r}: parent {parent.name!r} is {found}, method {method.name!r} takes "
        f"{expected}; choose another parent"
    )


def _begun_from(adapter: Arm) -> tuple[Arm, ...]:
    """What an adapter was trained on: its parent, or none for the base model."""
    while adapter.parents and discovery.method(adapter.method).takes in ("adapter", "adapters"):
        adapter = adapter.parents[0]
    return adapter.parents
