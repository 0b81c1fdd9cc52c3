"""MoLA: low-rank experts on every projection, more of them in higher layers, two to a token.

After Gao et al. 2024: a router for each projection, the softmax over its experts, the two largest
renormalised; the load-balancing loss of Switch Transformers with weight BALANCE, mean over the
projections.
"""

from __future__ import annotations

from typing import Any

from lawcheck.errors import InputError
from lawcheck.methods import wrapped
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="mola",
    title="MoLA",
    short="MoLA",
    version=1,
    trains="experts (A, B) and a router per adapted module",
    group="peft",
    design={"experts": 2, "top": 2, "rank_multiple": 1},
)
KIND = "MOLA"
QUARTERS = 4
BALANCE = 0.01
# Of a model: what it is made from.
MADE = "lawcheck_mola"


def experts_of(layer: int, layers: int, first: int) -> int:
    """Experts of a decoder layer: `first` in the lowest quarter, and as many more in each above."""
    return first * (1 + QUARTERS * layer // layers)


def build(model: Any, design: Design, settings: AdapterSettings, seed: int, *_: Any) -> Any:
    """The model with experts; it equals `model` until it is trained.

    Its auxiliary_loss() is the balance loss of the last forward pass. Raises InputError where a
    layer has fewer experts than a token is sent to.
    """
    chosen = METHOD.validate(design)
    if chosen["top"] > chosen["experts"]:
        raise InputError(
            f"method 'mola': top {chosen['top']} of {chosen['experts']} experts in the lowest "
            f"layers, expected at most as many; raise experts"
        )
    return _built(model, chosen, settings.times(chosen["rank_multiple"]), seed)


def _built(model: Any, chosen: dict[str, Any], settings: AdapterSettings, seed: int) -> Any:
    import torch

    from lawcheck.methods.mola.layer import MolaLinear

    first, top = chosen["experts"], chosen["top"]

    def around(linear: Any, layer: int, layers: int) -> Any:
        return MolaLinear(linear, experts_of(layer, layers, first), top, settings)

    modules = wrapped.wrap(model, settings, seed, around)

    def auxiliary_loss() -> Any:
        return BALANCE * torch.stack([m.balance for m in modules]).mean()

    model.auxiliary_loss = auxiliary_loss
    setattr(model, MADE, {"experts": first, "top": top, **wrapped.settings_fields(settings)})
    return model


save, load = wrapped.persistence(KIND, MADE, _built)


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    chosen = METHOD.validate(design)
    settings = settings.times(chosen["rank_multiple"])
    inputs, outputs = (n // shapes.layers for n in shapes.adapted(settings))
    # A router has a row for each expert.
    each = settings.rank * (inputs + outputs) + inputs
    counts = (experts_of(k, shapes.layers, chosen["experts"]) for k in range(shapes.layers))
    return each * sum(counts)


added_parameters = trainable_parameters
