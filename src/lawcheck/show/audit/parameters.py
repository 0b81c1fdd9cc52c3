"""Which adapter configurations of Qwen2.5-7B give a printed share of trainable parameters.

The grid: adapted modules x rank x experts x gate x vocabulary rows x denominator. Qwen2-7B has
the same shapes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from lawcheck.methods.base import QWEN2_5_7B
from lawcheck.show.audit.schema import Printed

LAYERS, HIDDEN = QWEN2_5_7B.layers, QWEN2_5_7B.hidden
# (inputs, outputs) of every projection of a decoder layer.
MODULES = {name.removesuffix("_proj"): sizes for name, sizes in QWEN2_5_7B.linears.items()}
# Rows of the configuration, of the tokenizer with its added tokens, and without them.
VOCABULARIES = (152064, 151665, 151643)
RANKS = (4, 8, 16, 32, 64)
EXPERTS = (2, 3, 4, 5, 6, 7, 8)
GATES = ("none", "per layer", "per module")
DENOMINATORS = ("base", "base and adapters")


@dataclass(frozen=True, order=True)
class Setting:
    """What the shares of several methods have in common."""

    modules: tuple[str, ...]
    rank: int
    vocabulary: int
    denominator: str

    @property
    def words(self) -> str:
        return (
            f"{'+'.join(self.modules)}, rank {self.rank}, {self.vocabulary} vocabulary rows, "
            f"share of {self.denominator}"
        )


@dataclass(frozen=True, order=True)
class Mixture:
    """The part that only a mixture of experts has."""

    experts: int
    gate: str

    @property
    def words(self) -> str:
        return f"{self.experts} experts, gate {self.gate}"


@functools.cache
def base_parameters(vocabulary: int) -> int:
    return dataclasses.replace(QWEN2_5_7B, vocabulary=vocabulary).total_parameters


def share(trained: int, setting: Setting) -> float:
    """Trainable share in percent."""
    whole = base_parameters(setting.vocabulary)
    return 100 * trained / (whole + (trained if setting.denominator != "base" else 0))


def lora(setting: Setting) -> int:
    return LAYERS * setting.rank * sum(sizes(setting))


def mixture(setting: Setting, more: Mixture, shared_a: bool) -> int:
    inputs, outputs = sizes(setting)
    copies = 1 if shared_a else more.experts
    weights = setting.rank * (copies * inputs + more.experts * outputs)
    gate = {"none": 0, "per layer": HIDDEN, "per module": inputs}[more.gate] * more.experts
    return LAYERS * (weights + gate)


@functools.cache
def sizes(setting: Setting) -> tuple[int, int]:
    """Inputs and outputs of a decoder layer's adapted modules, summed."""
    return (
        sum(MODULES[m][0] for m in setting.modules),
        sum(MODULES[m][1] for m in setting.modules),
    )


def settings() -> Iterator[Setting]:
    chosen = [c for n in range(1, len(MODULES) + 1) for c in combinations(MODULES, n)]
    for modules, rank, vocabulary, denominator in product(
        chosen, RANKS, VOCABULARIES, DENOMINATORS
    ):
        yield Setting(modules, rank, vocabulary, denominator)


def matches(target: Printed, kind: str) -> list[tuple[Setting, Mixture | None]]:
    """Every configuration of the grid that is printed like `target`.

    kind: `lora`, `mixture` or `shared_a`.
    """
    found: list[tuple[Setting, Mixture | None]] = []
    for setting in settings():
        if kind == "lora":
            value = share(lora(setting), setting)
            if target.fits(value, value):
                found.append((setting, None))
            continue
        for more in (Mixture(e, g) for e, g in product(EXPERTS, GATES)):
            value = share(mixture(setting, more, kind == "shared_a"), setting)
            if target.fits(value, value):
                found.append((setting, more))
    return found
