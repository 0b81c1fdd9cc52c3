"""Whether a model tells packed samples apart: found by exchanging one and watching the other.

Training puts several samples into a row, whose position ids restart at every sample; most models
of transformers make a block-diagonal mask from them. Some make their own (OPT), some have no place
for one (recurrent layers): there a sample would be trained on what its neighbour says.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from lawcheck.errors import InputError
from lawcheck.training.architectures import why_not
from lawcheck.training.chain import load_model

# Logits that differ by rounding alone, relative to the largest.
ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
LENGTH = 12

Logits = Callable[[Any, Tensor, Tensor], Tensor]


@functools.lru_cache(maxsize=8)
def packs(base_folder: Path | str, revision: str, device: str, attention: str) -> bool:
    """Whether samples of this base may share a row: its like was compared, or it is tried once.

    attention: of the scale's hardware. Raises InputError for a model that mixes samples even where
    each has a row of its own, for one whose logits are not finite, and under flash attention,
    which has no other rows.
    """
    if attention != "flash" and why_not(_skeleton(base_folder, revision), "packing") is None:
        return True
    flash = attention == "flash"
    options: dict[str, Any] = {"attn_implementation": "flash_attention_2"} if flash else {}
    dtype = torch.bfloat16 if flash else torch.float32
    model = load_model(base_folder, revision, dtype=dtype, **options).to(device).eval()
    kind = type(model).__name__
    in_row = in_one_flat_row if flash else in_one_row
    # A model that hardly looks back says nothing of what it would see.
    found = (
        "lets packed samples see one another"
        if leaks(model, in_row)
        else None
        if reads(model, in_row)
        else "hardly looks back, so that packed samples may see one another"
    )
    if found is None:
        return True
    if not finite(model, before_padding):
        raise InputError(
            f"base {str(base_folder)!r}: logits of {kind} are not finite, expected numbers; take "
            f"a base whose weights are"
        )
    if flash:
        raise InputError(
            f"base {str(base_folder)!r}: {kind} {found} under flash attention; take attention "
            f"'sdpa' in the scale's hardware"
        )
    if leaks(model, before_padding):
        raise InputError(
            f"base {str(base_folder)!r}: {kind} lets tokens see what follows them; take a causal "
            f"language model"
        )
    print(
        f"lawcheck: base {str(base_folder)!r}: {kind} {found}; every sample is trained in a row of "
        f"its own",
        file=sys.stderr,
    )
    return False


def _skeleton(base_folder: Path | str, revision: str) -> Any:
    """The base's model without weights."""
    config = AutoConfig.from_pretrained(base_folder, revision=revision, trust_remote_code=False)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


@torch.no_grad()
def leaks(model: Any, logits: Logits) -> bool:
    """Whether a sample's logits move when its neighbour is exchanged."""
    one, other, sample = _samples(model)
    return _moved(model, *(logits(model, neighbour, sample) for neighbour in (one, other)))


@torch.no_grad()
def reads(model: Any, logits: Logits) -> bool:
    """Whether a sample's logits move when the tokens before them are exchanged."""
    neighbour, other, sample = _samples(model)
    changed = torch.cat([other[:-1], sample[-1:]])
    return _moved(model, *(logits(model, neighbour, own)[-1] for own in (sample, changed)))


@torch.no_grad()
def finite(model: Any, logits: Logits) -> bool:
    neighbour, _, sample = _samples(model)
    return bool(logits(model, neighbour, sample).isfinite().all())


def _samples(model: Any) -> list[Tensor]:
    vocabulary = model.get_input_embeddings().weight.shape[0]
    draw = torch.Generator().manual_seed(0)
    return [torch.randint(vocabulary, (LENGTH,), generator=draw).to(model.device) for _ in range(3)]


def _moved(model: Any, before: Tensor, after: Tensor) -> bool:
    before, after = before.float(), after.float()
    return not (before - after).abs().max() / before.abs().max() <= ROUNDING[model.dtype]


def in_one_row(model: Any, neighbour: Tensor, sample: Tensor) -> Tensor:
    """As lawcheck.training.data.pack puts them."""
    places = torch.arange(LENGTH, device=sample.device).repeat(2)[None]
    ids = torch.cat([neighbour, sample])[None]
    return model(input_ids=ids, position_ids=places, use_cache=False).logits[0, LENGTH:]


def in_one_flat_row(model: Any, neighbour: Tensor, sample: Tensor) -> Tensor:
    """As lawcheck.training.data.pack_flat puts them."""
    places = torch.arange(LENGTH, device=sample.device).repeat(2)[None]
    bounds = torch.tensor([0, LENGTH, 2 * LENGTH], dtype=torch.int32, device=sample.device)
    return model(
        input_ids=torch.cat([neighbour, sample])[None],
        position_ids=places,
        cu_seq_lens_q=bounds,
        cu_seq_lens_k=bounds,
        max_length_q=LENGTH,
        max_length_k=LENGTH,
        use_cache=False,
    ).logits[0, LENGTH:]


def before_padding(model: Any, neighbour: Tensor, sample: Tensor) -> Tensor:
    """As lawcheck.training.data.pad puts it."""
    ids = torch.cat([sample, neighbour])[None]
    return model(input_ids=ids, use_cache=False).logits[0, :LENGTH]
