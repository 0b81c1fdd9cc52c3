"""Thirteen mixtures: none, and two sizes of upsampling with six shares of fresh samples."""

from __future__ import annotations

from lawcheck.declare.design import Arm, Recipe, Upsampling

SCARCE = ("biology", "geography")
BASE = Arm(method="base")
TARGETS, SHARES = (100_000, 200_000), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
NONE = Recipe()


def upsampled(target: int, fresh: float) -> Recipe:
    """With share 0 the duplicates alone, as in `balance_then_diversity`."""
    return Recipe(
        upsampling=Upsampling(kind="diverse", disciplines=SCARCE, target=target, fresh=fresh)
    )


MIXTURES = (NONE, *(upsampled(t, f) for t in TARGETS for f in SHARES))


def lora(recipe: Recipe) -> Arm:
    return Arm(method="lora", recipe=recipe)


def lora_moe(recipe: Recipe) -> Arm:
    return Arm(method="lora_moe", design=(("variant", "plain"),), recipe=recipe)


def both(*recipes: Recipe) -> tuple[Arm, ...]:
    """LoRA and LoRA-MoE on each mixture."""
    return tuple(method(recipe) for method in (lora, lora_moe) for recipe in recipes)
