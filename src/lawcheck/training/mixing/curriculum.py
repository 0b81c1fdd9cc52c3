"""Domains one after another, the most forgettable first: the order of Omni-Thinker (2507.14783).

That work trains by reinforcement; here it is supervised fine-tuning in its order, marked "style".
How forgettable a domain is, says the reference: the mean relative rise of its loss when another
domain is trained on alone. Domains share the phases in equal parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference


def update(
    weights: Mapping[str, float],
    losses: Mapping[str, float],
    history: Sequence[Phase],
    mixture: Mixture,
    reference: Reference,
) -> dict[str, float]:
    return alone(order(weights, reference), history, mixture)


def order(domains: Mapping[str, float], reference: Reference) -> list[str]:
    """Most forgettable first; ties by name."""
    moved = reference.transfer
    forgotten = {i: fmean(moved[j][i] for j in domains if j != i) for i in domains}
    return sorted(domains, key=lambda name: (-forgotten[name], name))


def alone(domains: Sequence[str], history: Sequence[Phase], mixture: Mixture) -> dict[str, float]:
    """All weight on the domain whose turn it is."""
    turn = len(history) * len(domains) // mixture.phases
    return {name: float(name == domains[turn]) for name in domains}


RULE = MixingRule(
    name="curriculum",
    title="Most forgettable domain first (Omni-Thinker style)",
    version=1,
    update=update,
    references=True,
    opens=True,
)
