"""One domain's share grows while the others are not forgotten: Algorithm 3 of VersaTune.

The test is a product: forgetting is often 0, and the paper's quotient has no value there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference, potentials
from lawcheck.training.mixing.potential import grown

# The largest share that a step leads to.
MOST = 0.9


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    target = mixture.target
    assert target is not None
    learnable = potentials(losses, reference)
    shares = grown(weights, learnable, mixture)
    others = [name for name in shares if name != target]
    before = history[-1].losses
    forgotten = fmean(max(0.0, (losses[n] - before[n]) / before[n]) for n in others)
    if mixture.guard and not learnable[target] > mixture.threshold * forgotten:
        return shares
    most = min(shares[target] + mixture.step, MOST)
    rest = sum(shares[n] for n in others)
    return {n: most if n == target else (1 - most) * shares[n] / rest for n in shares}


RULE = MixingRule(
    name="expansion",
    title="Domain expansion (VersaTune)",
    version=1,
    update=update,
    references=True,
    targeted=True,
)
