"""Algorithm 2 with every domain's potential taken from the domain that follows it: a control.

Weights move as far as those of `potential`, towards domains that gave no reason for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference, potentials
from lawcheck.training.mixing.potential import grown


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    learnable = potentials(losses, reference)
    # By name, so that the derangement depends on no corpus; the last is followed by the first.
    names = sorted(weights)
    moved = {n: learnable[names[(k + 1) % len(names)]] for k, n in enumerate(names)}
    return grown(weights, moved, mixture)


RULE = MixingRule(
    name="placebo",
    title="Potentials of other domains (control)",
    version=1,
    update=update,
    references=True,
)
