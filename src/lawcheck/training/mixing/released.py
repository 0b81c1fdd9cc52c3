"""Shares as the code released with VersaTune moves them: w exp(loss), whatever can be learned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
) -> dict[str, float]:
    return {name: w * math.exp(losses[name]) for name, w in weights.items()}


RULE = MixingRule(name="released", title="VersaTune, as released", version=1, update=update)
