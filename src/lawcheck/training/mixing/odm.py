"""Shares as a bandit's: online data mixing, ODM (Albalak et al., 2312.02406).

EXP3 with losses as rewards. ODM sees the training loss of the domain that it drew; here every
domain's held-out loss is known after each phase, and all of them are rewards.
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
    after = [phase.losses for phase in history[1:]] + [losses]
    for phase, seen in zip(history, after, strict=True):
        for name in rewards:
            reward = seen[name] / phase.weights[name]
            rewards[name] = KEPT * rewards[name] + (1 - KEPT) * reward
    count = len(weights)
    before, now = (_exploration(count, turn) for turn in (len(history), len(history) + 1))
    top = max(rewards.values())
    found = {name: math.exp(before * (reward - top)) for name, reward in rewards.items()}
    total = sum(found.values())
    return {name: (1 - count * now) * w / total + now for name, w in found.items()}


def _exploration(count: int, turn: int) -> float:
    return min(1 / count, math.sqrt(math.log(count) / (count * turn)))


RULE = MixingRule(name="odm", title="Online data mixing (ODM)", version=1, update=update)
