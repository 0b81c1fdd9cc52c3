"""Shares grow with what a domain can still learn: Algorithm 2 of VersaTune (arXiv 2411.11266).

The paper's formulas are lost in its text; w (1 + sigma gamma), normalised, is read from its words
and its released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference, potentials


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    return grown(weights, potentials(losses, reference), mixture)


def grown(
    weights: Mapping[str, float], learnable: Mapping[str, float], mixture: Mixture
) -> dict[str, float]:
    """w (1 + sigma gamma) of each domain, as shares."""
    found = {name: w * (1 + mixture.strength * learnable[name]) for name, w in weights.items()}
    total = sum(found.values())
    return {name: w / total for name, w in found.items()}


RULE = MixingRule(
    name="potential",
    title="Learnable potential (VersaTune)",
    version=1,
    update=update,
    references=True,
)
