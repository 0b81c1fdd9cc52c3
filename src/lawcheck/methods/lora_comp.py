"""LoRA composition: gates trained over frozen LoRA experts, one per discipline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.methods import adapters, lora_moe
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes
from lawcheck.methods.lora_moe import arithmetic

METHOD = Method(
    name="lora_comp",
    title="LoRA composition",
    short="LoRA-Comp",
    version=1,
    trains="one gate per decoder layer, over frozen discipline experts",
    group="peft",
    design={"experts": 5, "rank_multiple": 1},
    needs_experts=True,
    routes=True,
)

save = adapters.save_adapter
load = lora_moe.load


def build(
    model: Any,
    design: Design,
    settings: AdapterSettings,
    seed: int,
    experts: Mapping[str, Path] | None = None,
) -> Any:
    """A PeftModel whose expert k is the k-th adapter of `experts`; only its gates are trainable.

    experts: name -> folder of a peft LoRA adapter with the settings' rank, alpha and targets.
    The saved adapter holds the experts too. Gate weights depend on `seed` and the shapes only.
    """
    design = METHOD.validate(design)
    settings = settings.times(design["rank_multiple"])
    experts = experts or {}
    if len(experts) != design["experts"]:
        raise InputError(
            f"method 'lora_comp': found {len(experts)} expert folders, expected "
            f"{design['experts']}; train the discipline LoRAs first and name one folder each"
        )
    for name, folder in experts.items():
        adapters.require_matching(name, folder, settings)

    names = list(experts)
    fields = {"num_experts": len(names), "train_experts": False, "expert_names": names}
    built = lora_moe.add_experts(model, settings, seed, **fields)
    for index, (name, folder) in enumerate(experts.items()):
        _copy_expert(built, index, name, folder, settings.rank)
    return built


def _copy_expert(model: Any, index: int, name: str, folder: Path, rank: int) -> None:
    """Write one adapter's A and B into block `index` of every adapted module."""
    import torch
    from safetensors.torch import load_file

    from lawcheck.methods.lora_moe.layer import LoraMoeLinear

    adapters.stored_shapes(folder)
    stored = load_file(folder / adapters.WEIGHTS)
    block = slice(index * rank, (index + 1) * rank)
    with torch.no_grad():
        for key, module in model.named_modules():
            if not isinstance(module, LoraMoeLinear):
                continue
            experts: Any = (module.lora_moe_A, module.lora_moe_B)
            down, up = (m[model.active_adapter].weight for m in experts)
            for part, matrix in (("lora_A", down[block]), ("lora_B", up[:, block])):
                tensor = stored.pop(f"{key}.{part}.weight", None)
                if tensor is None or tensor.shape != matrix.shape:
                    found = None if tensor is None else tuple(tensor.shape)
                    raise InputError(
                        f"expert {name!r} in {str(folder)!r}: {key}.{part} has shape {found}, "
                        f"expected {tuple(matrix.shape)}; train it on the same base model"
                    )
                matrix.copy_(tensor)
    if stored:
        raise InputError(
            f"expert {name!r} in {str(folder)!r}: tensor {min(stored)!r} has no place in the "
            f"model; train it on the same base model"
        )


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return shapes.layers * shapes.hidden * METHOD.validate(design)["experts"]


def added_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    """Gates and frozen experts."""
    return lora_moe.added_parameters(shapes, METHOD.validate(design), settings)


def adapter_bytes(
    shapes: ModelShapes, design: Design, settings: AdapterSettings, number: int
) -> float:
    """Frozen matrices A need no inputs."""
    chosen = {**METHOD.validate(design), "variant": "plain"}
    return arithmetic.kept_bytes(shapes, chosen, settings, number)
