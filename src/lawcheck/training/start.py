"""The model that a run starts from, before any step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from lawcheck.declare import discovery
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Scale
from lawcheck.files.foreign import check_model
from lawcheck.planning.cost import adapter_settings


@dataclass(frozen=True)
class Start:
    """A run and the models below it. stage: of DeepSpeed's ZeRO; None trains without it."""

    run: Run
    scale: Scale
    base_folder: Path | str
    experts: Mapping[str, Path]
    stage: int | None

    @property
    def epochs(self) -> int:
        """Passes of the Trainer over its micro-batches: the phases of a mixture that moves."""
        mixture = self.run.arm.mixture
        return self.scale.training.epochs if mixture is None else mixture.phases

    @property
    def revision(self) -> str:
        return self.scale.revision(self.run.arm.base)


def build_model(start: Start) -> tuple[Any, list[nn.Parameter]]:
    """The model ready to train, and the parameters that its saved form holds."""
    run, scale = start.run, start.scale
    method = discovery.method(run.arm.method)
    # Parameters that move are kept in float32; frozen ones may be held in the scale's precision.
    # DeepSpeed keeps its own float32 copy of what moves.
    frozen = (method.group == "peft" or start.stage) and scale.hardware.precision == "bfloat16"
    flash = scale.hardware.attention == "flash"
    check_model(start.base_folder)
    model = AutoModelForCausalLM.from_pretrained(
        start.base_folder,
        revision=start.revision,
        dtype=torch.bfloat16 if frozen else torch.float32,
        use_safetensors=True,
        # Left out, it asks whoever sits at a terminal.
        trust_remote_code=False,
        **({"attn_implementation": "flash_attention_2"} if flash else {}),
    )
    base = {id(p) for p in model.parameters()}
    module = discovery.method_module(run.arm.method)
    built = module.build(model, run.arm.choices, adapter_settings(scale), run.seed, start.experts)
    return built, [p for p in built.parameters() if p.requires_grad or id(p) not in base]
