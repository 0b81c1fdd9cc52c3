"""Shares grow exponentially with the loss above a reference: DoReMi (Xie et al., 2305.10429).

Online, in the run that is trained: DoReMi averages the weights of a proxy model's run and trains a
second model on them. The step of its equation is `strength`; a share of SMOOTHING stays uniform.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference

SMOOTHING = 1e-3


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    found = {
        name: w * math.exp(mixture.strength * max(0.0, losses[name] - reference.losses[name]))
        for name, w in weights.items()
    }
    total = sum(found.values())
    even = SMOOTHING / len(found)
    return {name: (1 - SMOOTHING) * w / total + even for name, w in found.items()}


RULE = MixingRule(
    name="doremi", title="Excess loss (DoReMi)", version=1, update=update, references=True
)
