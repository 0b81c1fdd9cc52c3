"""Rows of tokens that begin alike: keys and values of the beginning are computed and held once.

Inside `Rows.serving` a model of transformers attends through a function that is registered for it,
instead of its own kernel. Each row has a place of fixed width, so that nothing is copied when it
grows, and places are taken over by other rows. Results are those of the model's kernel up to
rounding, where it asks for causal attention and nothing else; other requests are refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from lawcheck.training.output_head import logits_at

KERNEL = "lawcheck_rows"
# Of what a model hands to its kernel, what does not change attention.
NEUTRAL = frozenset({"position_ids", "is_causal"})
# What a beginning of its own costs beside its tokens, in tokens: passes over fewer rows.
APART = 256


class Rows:
    """Keys and values of a beginning and of the rows that go on from it.

    beginning: tokens that all rows start with, maybe none. width: most tokens of a row behind it;
    rows are kept only where it is given.
    """

    def __init__(
        self, model: Any, beginning: Sequence[int] = (), places: int = 0, width: int = 0
    ) -> None:
        self.model = model
        self.start = len(beginning)
        self._shape = (places, width)
        self._beginning: dict[int, tuple[Tensor, Tensor]] = {}
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._attend: Any = self._begin
        if beginning:
            ids = torch.tensor([list(beginning)], device=model.device)
            # The logits of one place are wanted by none, but a model gives some.
            self._forward(ids, torch.arange(self.start, device=model.device)[None], ([0], [0]))

    def scored(self, ids: Tensor, positions: Tensor, seen: Tensor, where: Any) -> Tensor:
        """Logits [selected, vocabulary] at `where`, a pair of index tensors of [rows, tokens].

        seen: added to attention, [rows, 1, tokens, beginning + tokens]. positions: in the texts.
        """
        self._seen = seen
        self._attend = self._whole
        return self._forward(ids, positions, where)

    def fill(self, texts: Sequence[Sequence[int]], first: int) -> Tensor:
        """Logits [texts, vocabulary] behind each text; the texts are kept from place `first` on."""
        device = self.model.device
        width = max(map(len, texts))
        ids = torch.zeros((len(texts), width), dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
        # What pads a row stands behind its tokens, where none of them looks.
        seen = torch.zeros((width, self.start + width), dtype=self.model.dtype)
        ahead = torch.ones_like(seen, dtype=torch.bool).triu(self.start + 1)
        self._seen = seen.masked_fill_(ahead, torch.finfo(seen.dtype).min).to(device)
        self._places = slice(first, first + len(texts))
        self._attend = self._stored
        rows = torch.arange(len(texts), device=device)
        last = torch.tensor([len(text) - 1 for text in texts], device=device)
        positions = self.start + torch.arange(width, device=device).expand(len(texts), -1)
        return self._forward(ids.to(device), positions, (rows, last))

    def step(self, tokens: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Logits [rows, vocabulary] behind one more token of each of the first rows.

        lengths: of the rows so far, without the beginning.
        """
        device = self.model.device
        at = torch.tensor(lengths, device=device)
        self._rows, self._at = torch.arange(len(tokens), device=device), at
        self._width = max(lengths) + 1
        ahead = torch.arange(self._width, device=device) > at[:, None]
        seen = torch.zeros(ahead.shape, dtype=self.model.dtype, device=device)
        self._seen = seen.masked_fill_(ahead, torch.finfo(seen.dtype).min)[:, None, None]
        self._attend = self._stepped
        ids = torch.tensor(tokens, device=device)[:, None]
        return self._forward(ids, self.start + at[:, None], (self._rows, self._rows * 0))

    def move(self, place: int, to: int) -> None:
        """Put what one place holds into another."""
        for kept in self._kept.values():
            for tensor in kept:
                tensor[to] = tensor[place]

    def clear(self, place: int) -> None:
        """Forget numbers that are not finite: no weight of zero takes them away."""
        for kept in self._kept.values():
            for tensor in kept:
                tensor[place] = 0

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        inner = self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model
        own = inner.config._attn_implementation
        ALL_ATTENTION_FUNCTIONS[KERNEL] = self._kernel
        inner.config._attn_implementation = KERNEL
        try:
            yield
        finally:
            inner.config._attn_implementation = own
            del ALL_ATTENTION_FUNCTIONS[KERNEL]

    def _forward(self, ids: Tensor, positions: Tensor, where: Any) -> Tensor:
        with self.serving(), logits_at(self.model, where):
            found: Tensor = self.model(
                input_ids=ids, position_ids=positions, use_cache=False
            ).logits
        return found

    def _kernel(
        self,
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **asked: Any,
    ) -> tuple[Tensor, None]:
        """Shapes as transformers has them: [rows, heads, tokens, head] in, [rows, tokens, ...] out.

        Raises NotImplementedError for what is not plain causal attention.
        """
        # What is off or unset asks for nothing.
        further = [
            k for k, v in asked.items() if k not in NEUTRAL and v is not None and v is not False
        ]
        if further or dropout or attention_mask is not None:
            raise NotImplementedError(f"attention with {(further or ['dropout or a mask'])[0]}")
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        return self._attend(module.layer_idx, query, key, value, scale), None

    def _begin(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        self._beginning[layer] = (key, value)
        return _attention(query, key, value, None, scale)

    def _whole(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        if self.start:
            first = self._beginning[layer]
            key, value = (
                torch.cat([f.expand(len(own), -1, -1, -1), own], dim=2)
                for f, own in zip(first, (key, value), strict=True)
            )
        return _attention(query, key, value, self._seen, scale)

    def _stored(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> Tensor:
        if layer not in self._kept:
            places, width = self._shape
            self._kept[layer] = tuple(  # type: ignore[assignment]
                own.new_zeros((places, own.shape[1], width, own.shape[3])) for own in (key, value)
            )
        for kept, own in zip(self._kept[layer], (key, value), strict=True):
            kept[self._places, :, : own.shape[2]] = own
        return self._whole(layer, query, key, value, scale)

    def _stepped(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> Tensor:
        count, heads, _, size = query.shape
        shared = key.shape[1]
        kept = self._kept[layer]
        for tensor, own in zip(kept, (key, value), strict=True):
            tensor[self._rows, :, self._at] = own[:, :, 0]
        keys, values = (tensor[:count, :, : self._width] for tensor in kept)
        # Heads that share keys are rows of one product, so that keys are read once for them.
        query = (query * scale).reshape(count, shared, heads // shared, size)
        scores = query @ keys.transpose(-1, -2) + self._seen
        if not self.start:
            weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
            return (weights @ values).reshape(count, 1, heads, -1)
        # The beginning's keys are those of every row: one product for all of them.
        first, last = (tensor[0] for tensor in self._beginning[layer])
        flat = query.transpose(0, 1).reshape(shared, -1, size)
        before = (flat @ first.transpose(-1, -2)).view(shared, count, heads // shared, self.start)
        both = torch.cat([before.transpose(0, 1), scores], dim=-1)
        weights = both.softmax(-1, dtype=torch.float32).to(value.dtype)
        of_first = weights[..., : self.start].transpose(0, 1).reshape(shared, -1, self.start)
        found = (of_first @ last).view(shared, count, heads // shared, -1).transpose(0, 1)
        found = found + weights[..., self.start :] @ values
        return found.reshape(count, 1, heads, -1)


def _attention(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, scale: float
) -> Tensor:
    """seen: added to the scores; None for causal attention."""
    each = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(each, dim=1) if each > 1 else t for t in (key, value))
    found = scaled_dot_product_attention(
        query, key, value, attn_mask=seen, is_causal=seen is None, scale=scale
    )
    return found.transpose(1, 2).contiguous()


def beginnings(texts: Sequence[Sequence[int]], least: int) -> list[tuple[int, list[int]]]:
    """(tokens of a beginning, places of the texts that have it), each text once.

    Beginnings are chosen so that the fewest tokens are computed; they leave a token of every text,
    and have `least` tokens. Texts that share none come last, with a beginning of none.
    """
    if not texts:
        return []
    order = sorted(range(len(texts)), key=lambda k: list(texts[k]))
    arrays = [np.asarray(texts[k]) for k in order]
    common = [_common(a, b) for a, b in pairwise(arrays)]
    sizes = [len(a) for a in arrays]

    def best(low: int, high: int, depth: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Tokens of the texts from low to high, and (beginning, from, to)."""
        total = sum(sizes[low:high])
        if high - low == 1:
            return total, []
        least_common = min(common[low : high - 1])
        shared = min(least_common, min(sizes[low:high]) - 1)
        saved = shared * (high - low - 1) - APART
        whole: tuple[int, list[tuple[int, int, int]]] = (total, [])
        if shared >= least and saved > 0:
            whole = (total - saved, [(shared, low, high)])
        cuts = [k + 1 for k in range(low, high - 1) if common[k] == least_common]
        if depth == 0:
            return whole
        edges = [low, *cuts, high]
        parts = [best(a, b, depth - 1) for a, b in pairwise(edges)]
        apart = sum(p[0] for p in parts)
        return (apart, [g for p in parts for g in p[1]]) if apart < whole[0] else whole

    _, groups = best(0, len(texts), 64)
    found = [(shared, sorted(order[a:b])) for shared, a, b in groups]
    grouped = {k for _, members in found for k in members}
    left = [k for k in range(len(texts)) if k not in grouped]
    return [*found, *([(0, left)] if left else [])]


def _common(one: Any, other: Any) -> int:
    """Tokens that two texts begin with alike."""
    size = min(len(one), len(other))
    unlike = np.nonzero(one[:size] != other[:size])[0]
    return int(unlike[0]) if len(unlike) else size
