"""Whether the modules that an adapter names are there, all of them, in every decoder layer.

peft adapts what it finds. A name that is missing, or that a layer holds as one tensor of all
experts (transformers 5), would leave a layer without its adapter and say nothing. No torch.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from lawcheck.errors import InputError

# The first numbered module is the layer; numbers further in are experts or branches.
LAYER = re.compile(r"(?P<stack>.*?[^.]*)\.(?P<index>\d+)\.(?P<inner>.+)")
NUMBERED = re.compile(r"(^|\.)\d+\.")
# Of a tensor of all experts: the linear layers that it stands for.
FUSED = {
    "gate_up_proj": ("gate_up_proj", "gate_proj", "up_proj", "w1", "w3"),
    "down_proj": ("down_proj", "w2"),
}


def check_targets(
    model: Any, targets: Collection[str] | str, layers: Collection[int] | int | None = None
) -> None:
    """targets: names, a regular expression, or `all-linear`. layers: the ones to adapt, if not all.

    Raises InputError for a target that is in no layer, in some layers of a stack only, or inside a
    tensor of all experts.
    """
    chosen = {layers} if isinstance(layers, int) else set(layers or ())
    numbers = {int(k["index"]) for n, _ in model.named_modules() if (k := LAYER.fullmatch(n))}
    if absent := sorted(chosen - numbers, key=str):
        raise InputError(
            f"adapter targets: layers_to_transform names {absent[0]!r}, and "
            f"{type(model).__name__} has layers {min(numbers, default=0)} to "
            f"{max(numbers, default=0)}; correct it"
        )
    fused = [
        (key, found["inner"])
        for key in _fused(model)
        if (found := LAYER.fullmatch(key)) and (not chosen or int(found["index"]) in chosen)
    ]
    for key, inner in fused:
        name = inner.rpartition(".")[2]
        if isinstance(targets, str):
            hit = targets.lower() == "all-linear" or bool(re.fullmatch(targets, key))
        else:
            hit = any(t.rpartition(".")[2] in FUSED.get(name, (name,)) for t in targets)
        if hit:
            raise InputError(
                f"adapter targets: {key!r} holds all experts of its layer in one tensor, which no "
                f"adapter here can take; name target_modules without it (such as q_proj, v_proj)"
            )
    if not isinstance(targets, str):
        _check_names(model, targets, chosen)


def _check_names(model: Any, names: Collection[str], chosen: set[int]) -> None:
    stacks: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    everywhere = [key for key, _ in model.named_modules()]
    for key in everywhere:
        found = LAYER.fullmatch(key)
        if found and (not chosen or int(found["index"]) in chosen):
            stacks[found["stack"]][int(found["index"])].add(key)
    for name in sorted(names):

        def is_one(key: str, name: str = name) -> bool:
            return key == name or key.endswith(f".{name}")

        if not any(map(is_one, everywhere)):
            raise InputError(
                f"adapter targets: {name!r} is in no layer of {type(model).__name__}, found "
                f"{', '.join(_linears(model)) or 'no linear layer'}; name what is there"
            )
        if any(k == name for k in everywhere) or NUMBERED.search(name):
            continue  # names a layer itself
        for stack, of_layer in stacks.items():
            having = sorted(n for n, keys in of_layer.items() if any(map(is_one, keys)))
            if having and len(having) < len(of_layer):
                some = ", ".join(map(str, having[:8]))
                raise InputError(
                    f"adapter targets: {name!r} is in {len(having)} of {len(of_layer)} layers of "
                    f"{stack} ({some}), expected in all; name layers_to_transform, or other targets"
                )


def _fused(model: Any) -> Iterator[str]:
    """Parameters that hold every expert's matrix: [experts, rows, columns], or end to end."""
    for key, parameter in model.named_parameters():
        owner = key.rpartition(".")[0]
        kind = type(model.get_submodule(owner)).__name__
        # Under ZeRO-3 a parameter is empty until it is gathered; its true shape is kept aside.
        shape = getattr(parameter, "ds_shape", parameter.shape)
        # DBRX puts them end to end; a matrix in any other module is of one linear layer.
        where = {3: f"{owner} {kind}", 2: kind}.get(len(shape), "")
        if "expert" in where.lower():
            yield key


def _linears(model: Any) -> list[str]:
    """Names of what could be adapted."""
    return sorted(
        {
            key.rpartition(".")[2]
            for key, module in model.named_modules()
            if LAYER.fullmatch(key) and type(module).__name__ in ("Linear", "Conv1D")
        }
    )
