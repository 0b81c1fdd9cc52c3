"""Shares as a bandit's: online data mixing, ODM (Albalak et al., 2312.02406).

EXP3 with losses as rewards. ODM sees the training loss of one domain a step; here every domain's
held-out loss is known after each phase, which counts as one step a domain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase

# Of the moving average of rewards.
KEPT = 0.9


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
) -> dict[str, float]:
    rewards = dict.fromkeys(weights, 0.0)
    for seen in (*(phase.losses for phase in history[1:]), losses):
        rewards = {n: KEPT * before + (1 - KEPT) * seen[n] for n, before in rewards.items()}
    count = len(weights)
    before, now = (_exploration(count, phase) for phase in (len(history), len(history) + 1))
    top = max(rewards.values())
    found = {name: math.exp(before * (reward - top)) for name, reward in rewards.items()}
    total = sum(found.values())
    return {name: (1 - count * now) * w / total + now for name, w in found.items()}


def _exploration(count: int, phase: int) -> float:
    """Of ODM's step count * phase."""
    return min(1 / count, math.sqrt(math.log(count) / phase) / count)


RULE = MixingRule(name="odm", title="Online data mixing (ODM)", version=1, update=update)
