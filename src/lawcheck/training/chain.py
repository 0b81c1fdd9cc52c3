"""The model that a run begins with: the base model, or the whole model of trained runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.integrations import is_deepspeed_zero3_enabled

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.files.foreign import check_model
from lawcheck.training.record import Link


def load_model(
    base_folder: Path | str,
    revision: str,
    chain: Sequence[Link] = (),
    *,
    dtype: torch.dtype,
    **options: Any,
) -> Any:
    """The whole model of a chain of runs, each trained on the one before it; every weight may move.

    chain: empty for the base model itself. Adapters are merged in float32 and cast afterwards, so
    that training and evaluation begin with the same bits. options: of from_pretrained.
    Raises InputError for an adapter that cannot be merged.
    """
    whole = max((k for k, link in enumerate(chain) if link.whole), default=None)
    folder = base_folder if whole is None else chain[whole].folder
    above = chain if whole is None else chain[whole + 1 :]
    if above and is_deepspeed_zero3_enabled():
        raise InputError(
            f"run {above[0].run_id!r}: an adapter cannot be merged into a model in shards; set "
            f"zero_stage 2 in the scale's hardware, or start from a run of group 'full'"
        )
    check_model(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32 if above else dtype,
        use_safetensors=True,
        # Left out, it asks whoever sits at a terminal.
        trust_remote_code=False,
        **({"revision": revision} if whole is None else {}),
        **options,
    )
    for link in above:
        model = _merged(discovery.method_module(link.method).load(model, link.folder), link)
    if above:
        # Parameters alone: rotary tables stay in float32, as from_pretrained leaves them.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype)
            parameter.requires_grad_(True)
    return model


def _merged(model: Any, link: Link) -> Any:
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return model
    kind = model.peft_config[model.active_adapter].peft_type
    if kind != "LORA":
        raise InputError(
            f"run {link.run_id!r}: its adapter is of kind {str(kind)!r}, which cannot be merged "
            f"into its model; start from a run of lora or of group 'full'"
        )
    return model.merge_and_unload()  # type: ignore[operator]
