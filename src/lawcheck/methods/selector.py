"""A LoRA adapter that answers an item with the words for its domain and its task."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Scalar
from lawcheck.errors import InputError
from lawcheck.methods import adapters
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

INITS = ("lora", "rslora", "dora", "pissa")
# Of a model, its adapter before the first step, where its saved form needs that.
START = "lawcheck_start"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Selector(Method):
    def validate(self, design: Mapping[str, Scalar]) -> dict[str, Any]:
        init = str(design.get("init", "lora"))
        if init.startswith("pissa_niter"):
            raise InputError(
                f"method 'selector': init {init!r} does not survive saving, since its random SVD "
                f"is drawn again when it is loaded; choose pissa"
            )
        return super().validate(design)


METHOD = _Selector(
    name="selector",
    title="Adapters selector",
    short="Selector",
    version=1,
    trains="one low-rank pair (A, B) per adapted module",
    group="peft",
    design={"init": "lora", "rank": 8, "alpha": 16},
    choices={"init": INITS},
    takes="adapter",
    selects=True,
)


def build(
    model: Any,
    design: Design,
    settings: AdapterSettings,
    seed: int,
    parents: Mapping[str, Path] | None = None,
) -> Any:
    """A PeftModel: a new adapter, or the one of the only parent, trained further.

    The design's rank and alpha take the place of the settings'. Raises InputError for a parent of
    another rank, or one that is no plain, rank-stabilised or weight-decomposed LoRA.
    """
    from peft import LoraConfig, PeftModel

    chosen = METHOD.validate(design)
    settings = _own(settings, chosen)
    init = chosen["init"]
    fields = {"use_rslora": init == "rslora", "use_dora": init == "dora"}
    for name, folder in (parents or {}).items():
        if init == "pissa":
            raise InputError(
                f"parent {name!r}: init 'pissa' begins from the base model, and a parent is "
                f"trained further; choose lora, with the rank and alpha of the parent's saved form"
            )
        _require_same(name, folder, settings, fields)
        with adapters.seeded(seed):
            return PeftModel.from_pretrained(model, folder, is_trainable=True)
    if init != "pissa":
        return adapters.add_adapter(model, LoraConfig, settings, seed, **fields)
    built = adapters.add_adapter(model, LoraConfig, settings, seed, init_lora_weights="pissa")
    kept = {n: p.detach().cpu().clone() for n, p in built.named_parameters() if p.requires_grad}
    setattr(built, START, kept)
    return built


def _own(settings: AdapterSettings, chosen: Mapping[str, Any]) -> AdapterSettings:
    return dataclasses.replace(settings, rank=chosen["rank"], alpha=chosen["alpha"])


def _require_same(
    name: str, folder: Path, settings: AdapterSettings, fields: Mapping[str, bool]
) -> None:
    config = adapters.require_plain(name, folder, but=fields)
    expected = {"r": settings.rank, "lora_alpha": settings.alpha, **fields}
    for key, value in expected.items():
        if config.get(key) != value:
            raise InputError(
                f"parent {name!r} in {str(folder)!r}: {key} is {config.get(key)!r}, expected "
                f"{value!r}; give the arm the design of its parent"
            )


def save(model: Any, folder: Path) -> None:
    """As peft saves it. PiSSA becomes plain LoRA of twice the rank, the same model to rounding.

    As it is, PiSSA replaces the base's weights when it is loaded, so that every other adapter on
    the same model is wrong (peft issue 2184).
    """
    start = getattr(model, START, None)
    if start is None:
        adapters.save_adapter(model, folder)
        return
    import torch

    with tempfile.TemporaryDirectory() as before:
        own = {n: p for n, p in model.named_parameters() if n in start}
        trained = {n: p.detach().clone() for n, p in own.items()}
        config = model.peft_config["default"]
        init = config.init_lora_weights
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(start[name])
            # peft reads the start as an adapter that changes no weights of the base.
            config.init_lora_weights = True
            model.save_pretrained(before, safe_serialization=True)
            config.init_lora_weights = init
            for name, parameter in own.items():
                parameter.copy_(trained[name])
        model.save_pretrained(
            folder, safe_serialization=True, path_initial_model_for_weight_conversion=before
        )
    adapters.settle(folder)


def load(base_model: Any, folder: Path) -> Any:
    return adapters.load_adapter(base_model, folder, "LORA")


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    chosen = METHOD.validate(design)
    inputs, outputs = shapes.adapted(settings)
    # DoRA has a magnitude for each output.
    return chosen["rank"] * (inputs + outputs) + (chosen["init"] == "dora") * outputs


added_parameters = trainable_parameters
