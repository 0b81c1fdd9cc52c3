"""Planned cost of an arm: trainable share and GPU hours, counted from shapes and corpus sizes."""

from __future__ import annotations

import functools

from lawcheck.corpus.recipe import planned_mixture
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Discipline
from lawcheck.declare.scale import PlanSettings, Scale, load_scale
from lawcheck.errors import InputError, nearest
from lawcheck.methods.base import AdapterSettings, ModelShapes, trainable_share


def adapter_settings(scale: Scale) -> AdapterSettings:
    """What the scale's adapters are built and counted with."""
    defaults = scale.adapter
    return AdapterSettings(
        rank=defaults.rank,
        alpha=defaults.rank * defaults.alpha_over_rank,
        dropout=defaults.dropout,
        targets=defaults.targets,
    )


def planned_cost(arm: Arm, quantity: str, scale: str = "paper") -> float:
    """trainable_share (% of all parameters) or gpu_hours of an arm at a scale.

    For an arm of one run per discipline the share is that of one run, the hours are their sum.
    Raises InputError for an unknown quantity, or a scale that plans nothing.
    """
    chosen = _load(scale)
    if quantity == "trainable_share":
        module = discovery.method_module(arm.method)
        return trainable_share(module, shapes(chosen, arm), arm.choices, adapter_settings(chosen))
    if quantity == "gpu_hours":
        return gpu_hours(arm, chosen)
    raise InputError(f"cost: unknown quantity {quantity!r}; known: gpu_hours, trainable_share")


_load = functools.cache(load_scale)


def shapes(scale: Scale, arm: Arm) -> ModelShapes:
    base = scale.bases[arm.base]
    if "vocab_size" not in base.architecture:
        raise InputError(
            f"scale {scale.name!r}: base {arm.base!r} states no vocab_size; "
            f"costs are counted at a scale with a pretrained base, such as paper"
        )
    return ModelShapes.from_config(base.architecture)


def planned_tokens(arm: Arm, scale: Scale) -> float:
    """Training tokens of an arm, all its runs together.

    Disciplines that the scale's plan does not name are no part of its corpus. Raises InputError
    for a recipe that names one of them.
    """
    if arm.recipe is None or not discovery.trains_rows(arm):
        return 0.0
    plan = _plan(scale)
    # Counting needs sizes only, so disciplines count whether or not the world has sources.
    names = [d for d in _science() if d.name in plan.words_per_sample]
    corpus = scale.corpus
    recipe = arm.recipe
    rows = planned_mixture(
        scale.sized(recipe), names, corpus.size, corpus.general_pool, corpus.caps
    )
    for name in (*(recipe.disciplines or ()), *rows):
        if name not in plan.words_per_sample:
            raise InputError(
                f"scale {scale.name!r}: plan counts no words of discipline {name!r}; add it to "
                f"words_per_sample ({nearest(name, plan.words_per_sample)})"
            )
    epochs = recipe.stop_after or scale.passes(recipe)
    per_word = plan.tokens_per_word * epochs
    return sum(n * plan.words_per_sample[name] * per_word for name, n in rows.items())


def gpu_hours(arm: Arm, scale: Scale) -> float:
    """Device hours: FLOPs over peak x utilisation.

    Per token, of N parameters: 2 N forward, 2 N for the gradient of activations, 2 per trained
    parameter for the gradient of weights, and 2 N more where activations are recomputed.
    """
    if not discovery.trains_rows(arm):
        return 0.0
    plan = _plan(scale)
    multiplied, trained = multiplied_parameters(arm, shapes(scale, arm), adapter_settings(scale))
    passes = 6 if scale.hardware.gradient_checkpointing else 4
    per_token = passes * multiplied + 2 * trained
    flops = per_token * planned_tokens(arm, scale)
    return flops / (plan.peak_tflops * 1e12 * plan.utilisation) / 3600


def multiplied_parameters(
    arm: Arm, model: ModelShapes, settings: AdapterSettings
) -> tuple[int, int]:
    """Parameters that a token is multiplied with, and those of them that are trained.

    Embeddings look up and do not count.
    """
    module = discovery.method_module(arm.method)
    embedding = model.vocabulary * model.hidden * (0 if model.tied else 1)
    multiplied = model.total_parameters - embedding
    multiplied += module.added_parameters(model, arm.choices, settings)
    trained = module.trainable_parameters(model, arm.choices, settings)
    return multiplied, min(trained, multiplied)


def _plan(scale: Scale) -> PlanSettings:
    if scale.plan is None:
        raise InputError(
            f"scale {scale.name!r}: has no 'plan' section; add words_per_sample, tokens_per_word, "
            f"peak_tflops and utilisation"
        )
    return scale.plan


def _science() -> list[Discipline]:
    return [d for d in discovery.disciplines().values() if d.role == "discipline"]
