"""Arms that more than one law uses (paper section 3 to 5)."""

from __future__ import annotations

import functools

from lawcheck.declare.design import Arm, Hypothesis, Recipe, Upsampling, arm

SCARCE = ("biology", "geography")

BASE = Arm(method="base")

# One point (of costs one percent) is the smallest effect of interest unless a law names another.
primary = functools.partial(Hypothesis, role="primary", sesoi=1.0)
secondary = functools.partial(Hypothesis, role="secondary", sesoi=1.0)


def upsampled(kind: str, target: int) -> Upsampling:
    """Biology and geography duplicated to `target` samples each, at paper size."""
    return Upsampling(kind=kind, disciplines=SCARCE, target=target)  # type: ignore[arg-type]


# The recipe of the paper's section 5.
TUNED = Recipe(upsampling=upsampled("diverse", 100_000), general_share=1.0)


def discipline_lora(
    fraction: float = 1.0, upsampling: Upsampling | None = None, base: str = "default"
) -> Arm:
    """Five adapters, each trained on one discipline and evaluated on it."""
    recipe = Recipe(fraction=fraction, upsampling=upsampling)
    return arm("lora", recipe, each_alone=True, base=base)


def lora(recipe: Recipe | None = None, rank_multiple: int = 1) -> Arm:
    design = () if rank_multiple == 1 else (("rank_multiple", rank_multiple),)
    return Arm(method="lora", design=design, recipe=recipe or Recipe())


def lora_moe(variant: str = "plain", recipe: Recipe | None = None, experts: int = 5) -> Arm:
    """Five experts are the method's default and stay unnamed."""
    design = () if experts == 5 else (("experts", experts),)
    return Arm(method="lora_moe", design=(("variant", variant), *design), recipe=recipe or Recipe())


def lora_comp(recipe: Recipe | None = None) -> Arm:
    return arm("lora_comp", recipe or Recipe())


def full(recipe: Recipe | None = None) -> Arm:
    return arm("full", recipe or Recipe())
