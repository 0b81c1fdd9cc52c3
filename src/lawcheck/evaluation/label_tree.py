"""Which of several labels a model answers with, from one forward over the tokens they share.

Greedy decoding writes a label token by token. All that it can come to before a single label is
left is known beforehand, so the model sees it at once, behind the prompt, under a tree-shaped mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lawcheck.training.output_head import logits_at


@dataclass(frozen=True)
class LabelTree:
    """Node 0 is the end of the prompt; node k has token k - 1 and follows node parents[k - 1].

    ways: of every node, a next token -> the node that it leads to, or ~k where label k is the only
    one left.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    ways: tuple[dict[int, int], ...]

    @classmethod
    def of(cls, labels: Sequence[Sequence[int]]) -> LabelTree:
        """labels: tokens of each, ended by a token that none has inside; no two are equal."""
        tokens: list[int] = []
        parents: list[int] = []
        ways: list[dict[int, int]] = [{}]

        def grow(node: int, depth: int, places: Sequence[int]) -> None:
            for token in dict.fromkeys(labels[p][depth] for p in places):
                own = [p for p in places if labels[p][depth] == token]
                if len(own) == 1:
                    ways[node][token] = ~own[0]
                    continue
                tokens.append(token)
                parents.append(node)
                ways.append({})
                ways[node][token] = len(tokens)
                grow(len(tokens), depth + 1, own)

        grow(0, 0, range(len(labels)))
        return cls(tuple(tokens), tuple(parents), tuple(ways))

    @cached_property
    def _seen(self) -> Tensor:
        """[nodes, nodes] without node 0: whether a node stands on the way to another, or is it."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for k, parent in enumerate(self.parents):
            if parent:
                seen[k] |= seen[parent - 1]
        return seen

    @cached_property
    def _depths(self) -> list[int]:
        depths = [0]
        for parent in self.parents:
            depths.append(depths[parent] + 1)
        return depths

    @torch.inference_mode()
    def first(self, model: Any, prompt: Sequence[int]) -> int | None:
        """The label whose tokens greedy decoding takes as long as labels differ; None where it
        leaves them all. What is left of a label after that is not computed.

        model: of an architecture that takes tree-shaped masks (lawcheck.training.architectures).
        """
        n, width = len(prompt), len(prompt) + len(self.tokens)
        seen = torch.ones(width, width, dtype=torch.bool).tril()
        seen[n:, n:] = self._seen
        mask = torch.zeros((1, 1, width, width), dtype=model.dtype)
        mask.masked_fill_(~seen, torch.finfo(model.dtype).min)
        positions = [*range(n), *(n - 1 + depth for depth in self._depths[1:])]
        device = model.device
        with logits_at(model, (slice(None), slice(n - 1, None))):
            logits = model(
                input_ids=torch.tensor([[*prompt, *self.tokens]], device=device),
                attention_mask=mask.to(device),
                position_ids=torch.tensor([positions], device=device),
                use_cache=False,
            ).logits
        best, node = logits[0].argmax(dim=-1).tolist(), 0
        while True:
            way = self.ways[node].get(best[node])
            if way is None:
                return None
            if way < 0:
                return ~way
            node = way
