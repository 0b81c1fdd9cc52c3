"""VersaTune's arms on its own six domains, and parts that read bits per byte of gold answers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

from lawcheck.declare.design import Arm, Check, Hypothesis, Mixture, Recipe, beats
from lawcheck.declare.metrics import BITS

DOMAINS = ("law", "medicine", "finance", "science", "code", "general")
# Domains that an arm expands; their answers are letters.
TARGETS = ("law", "medicine", "science")
BASE = Arm(method="base")
# The second family of `real_swapped`.
SECOND = Arm(method="base", base="second")
# A fifth of the paper's rows a pass.
ROWS = 12_000
# Bits per byte: a letter among four options costs two; a fortieth of that.
LIKELIER = 0.05
# Nats from the detected shares, as in the proxy world.
MOVED = 0.01

primary = functools.partial(Hypothesis, role="primary", sesoi=LIKELIER)
secondary = functools.partial(Hypothesis, role="secondary", sesoi=LIKELIER)


def mixed(base: Arm = BASE, **mixture: Any) -> Arm:
    recipe = Recipe(mixture=Mixture(rows=ROWS, **mixture))
    return Arm(method="full", base=base.base, recipe=recipe)


UNIFORM = mixed()
INVERSE = mixed(start="inverse")
RECIPROCAL = mixed(start="reciprocal")
CONSTANT = mixed(start="knowledge")
DYNAMIC = mixed(start="knowledge", update="potential")
UNIFORM_DYNAMIC = mixed(update="potential")
PLACEBO = mixed(start="knowledge", update="placebo")


def specific(target: str) -> Arm:
    """Nothing but the target domain."""
    return mixed(start="given", given=((target, 1.0),))


def flexible(target: str) -> Arm:
    return mixed(start="knowledge", update="expansion", target=target)


def unconditional(target: str) -> Arm:
    """`flexible` without its test for forgetting."""
    return mixed(start="knowledge", update="expansion", target=target, guard=False)


def learned(arms: Iterable[Arm]) -> tuple[Check, ...]:
    """Assays: gold answers of the six domains are likelier than under the base of each arm."""
    checks = [
        beats([a], BASE if a.base == BASE.base else SECOND, DOMAINS, metric=BITS)[0] for a in arms
    ]
    return tuple(
        dataclasses.replace(check, name=f"assay_{k}") for k, check in enumerate(checks, start=1)
    )
