"""Domains one after another, the least forgettable first: the control of `curriculum`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference
from lawcheck.training.mixing.curriculum import alone, order


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    return alone(order(weights, reference)[::-1], history, mixture)


RULE = MixingRule(
    name="curriculum_reversed",
    title="Least forgettable domain first (Omni-Thinker style)",
    version=1,
    update=update,
    references=True,
    opens=True,
)
