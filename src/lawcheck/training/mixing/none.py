"""Shares that stay as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
) -> Mapping[str, float]:
    return weights


RULE = MixingRule(name="none", title="Constant shares", version=1, update=update)
