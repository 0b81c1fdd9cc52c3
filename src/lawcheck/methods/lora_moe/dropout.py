"""Dropout masks, and the forms in which a forward pass keeps them for the backward pass.

The three forms hold the same mask, so that they change no number:

- `mask`: one byte an element of x.
- `bits`: one bit an element.
- `replay`: the state of the generator, 5 KB on a CPU and 16 bytes on a GPU; the mask is drawn
  again in the backward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lawcheck.errors import InputError

FORMS = ("mask", "bits", "replay")

# Multiplied by it, eight bytes of 0 or 1 meet in the topmost byte, one bit from each.
_GATHER = 0x0102040810204080


def draw(x: Tensor, p: float, form: str) -> tuple[Tensor, Tensor]:
    """A mask for x, true where an element is kept, and what has to be saved of it."""
    if form == "replay":
        return _draw_replayable(x, p)
    mask = _bernoulli(x, p)
    return mask, pack(mask) if form == "bits" else mask


def recall(saved: Tensor, x: Tensor, p: float, form: str) -> Tensor:
    """The mask that `draw` gave for x."""
    if form == "mask":
        return saved
    if form == "bits":
        return unpack(saved, x.shape)
    return _replay(saved, x, p)


# Compiled code may draw from a stream of its own, which the generator's state says nothing about.
@torch.compiler.disable
def _draw_replayable(x: Tensor, p: float) -> tuple[Tensor, Tensor]:
    # Before the draw, which moves the generator on.
    state = _generator(x.device).get_state()
    return _bernoulli(x, p), state


@torch.compiler.disable
def _replay(state: Tensor, x: Tensor, p: float) -> Tensor:
    # The same state, not the same generator: the running one keeps its place.
    generator = torch.Generator(x.device)
    generator.set_state(state)
    return _bernoulli(x, p, generator)


def pack(mask: Tensor) -> Tensor:
    """Eight elements to a byte, the first in the lowest bit; the last byte is filled with 0."""
    flat = mask.reshape(-1)
    if rest := -len(flat) % 8:
        flat = torch.cat([flat, flat.new_zeros(rest)])
    return ((flat.view(torch.int64) * _GATHER) >> 56).to(torch.uint8)


def unpack(packed: Tensor, shape: torch.Size) -> Tensor:
    bits = torch.arange(8, dtype=torch.uint8, device=packed.device)
    flat = ((packed.unsqueeze(-1) >> bits) & 1).view(torch.bool).view(-1)
    return flat[: shape.numel()].view(shape)


def _bernoulli(x: Tensor, p: float, generator: torch.Generator | None = None) -> Tensor:
    """A third cheaper to draw than through F.dropout on a CPU."""
    empty = torch.empty(x.shape, dtype=torch.bool, device=x.device)
    return empty.bernoulli_(1 - p, generator=generator)


def _generator(device: torch.device) -> torch.Generator:
    """The running generator of a device."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index]
    if device.type != "cpu":
        raise InputError(
            f"dropout_memory 'replay': found device {device.type!r}, expected cpu or cuda; take "
            f"'bits'"
        )
    return torch.default_generator
