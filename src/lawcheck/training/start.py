"""The model that a run starts from, before any step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Run
from lawcheck.declare.objective import Objective
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.planning.cost import adapter_settings
from lawcheck.training.chain import load_model
from lawcheck.training.record import Link


@dataclass(frozen=True)
class Start:
    """A run and the models below it.

    experts: folders that the method builds from (`Method.takes`). chain: the runs whose model it
    starts from, first to last; empty for the base model. stage: of DeepSpeed's ZeRO; None trains
    without it.
    """

    run: Run
    scale: Scale
    base_folder: Path | str
    experts: Mapping[str, Path]
    stage: int | None
    chain: Sequence[Link] = ()

    @property
    def revision(self) -> str:
        return self.scale.revision(self.run.arm.base)

    @property
    def recipe(self) -> Recipe:
        assert self.run.arm.recipe is not None
        return self.run.arm.recipe

    @property
    def objective(self) -> Objective:
        return discovery.objective(self.recipe.objective)

    @property
    def passes(self) -> int:
        """Passes over the recipe's rows, by the schedule."""
        return self.scale.passes(self.recipe)

    @property
    def epochs(self) -> int:
        """Of the schedule: passes, or the phases that divide them where shares may move."""
        mixture = self.recipe.mixture
        return self.passes if mixture is None else mixture.phases

    @property
    def epochs_run(self) -> int:
        """Epochs until training ends. Raises InputError for an end behind the schedule's."""
        wanted = self.recipe.stop_after or self.epochs
        if wanted > self.epochs:
            raise InputError(
                f"run {self.run.id!r}: stop_after {wanted} lies beyond the {self.epochs} epochs of "
                f"scale {self.scale.name!r}; stop earlier, or give the recipe epochs"
            )
        return wanted


def build_model(start: Start) -> tuple[Any, list[nn.Parameter]]:
    """The model ready to train, and the parameters that its saved form holds."""
    run, scale = start.run, start.scale
    method = discovery.method(run.arm.method)
    # Parameters that move are kept in float32; frozen ones may be held in the scale's precision.
    # DeepSpeed keeps its own float32 copy of what moves.
    frozen = (method.group == "peft" or start.stage) and scale.hardware.precision == "bfloat16"
    flash = scale.hardware.attention == "flash"
    model = load_model(
        start.base_folder,
        start.revision,
        start.chain,
        dtype=torch.bfloat16 if frozen else torch.float32,
        **({"attn_implementation": "flash_attention_2"} if flash else {}),
    )
    base = {id(p) for p in model.parameters()}
    settings = adapter_settings(scale)
    if not start.objective.dropout:
        settings = dataclasses.replace(settings, dropout=0.0)
        remove_dropout(model)
    module = discovery.method_module(run.arm.method)
    seed = scale.training_seed(run.seed)
    built = module.build(model, run.arm.choices, settings, seed, start.experts)
    return built, [p for p in built.parameters() if p.requires_grad or id(p) not in base]


def remove_dropout(model: nn.Module) -> None:
    """Set every dropout probability of a model to 0, those that attention layers keep as well."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in vars(module).items():
            if name.endswith("dropout") and isinstance(value, float):
                setattr(module, name, 0.0)
