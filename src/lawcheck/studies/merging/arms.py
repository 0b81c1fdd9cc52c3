"""Arms of the study: stages of adaptation, and their merges with the instruction-tuned partner.

A stage starts from its parent's weights. Every chain stands on one base model: the partner
`instruct` is that base after supervised fine-tuning and DPO on general instructions. In a merge
the partner is the first parent (t = 0) and the adapted model the second (t = 1).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from lawcheck.declare.design import (
    Arm,
    Check,
    Contrast,
    Hypothesis,
    Recipe,
    Target,
    Weights,
    arm,
    difference,
)

# What the models are adapted to, and the score of most laws: the mean of both.
DOMAINS = ("medicine", "geography")
# Of a discipline's rows; the other half is what the extended corpus adds.
SHARE = 0.5
EPOCHS = 5

primary = functools.partial(Hypothesis, role="primary", sesoi=1.0)
secondary = functools.partial(Hypothesis, role="secondary", sesoi=1.0)

GENERAL_SFT = Recipe(disciplines=(), general_share=1.0)
GENERAL_DPO = Recipe(disciplines=(), general_share=1.0, objective="dpo", beta=0.05)
TEXT = functools.partial(Recipe, disciplines=DOMAINS, objective="text", epochs=EPOCHS)
CPT = TEXT(fraction=SHARE)
# Twice the rows, of which the second half has its words shuffled, or has not.
EXTENDED, LARGER = TEXT(shuffled=1 - SHARE), TEXT()
SFT = Recipe(disciplines=DOMAINS, fraction=SHARE, general_share=1.0)
DPO = Recipe(disciplines=DOMAINS, fraction=SHARE, general_share=1.0, objective="dpo", beta=0.05)
ORPO = Recipe(disciplines=DOMAINS, fraction=SHARE, general_share=1.0, objective="orpo", beta=0.1)
STEPS = {"sft": SFT, "dpo": DPO, "orpo": ORPO}

STARTS = ("base", "instruct")
STAGES = ("cpt", "cpt.sft", "cpt.sft.dpo", "cpt.sft.orpo", "cpt.dpo", "cpt.orpo")
SCHEDULES = ("linear", "linear_same", "flat", "reversed", "attention_only", "mlp_only")
LADDER = ("small", "text", "wide")


def untrained(base: str = "text") -> Arm:
    return arm("base", base=base)


def full(recipe: Recipe, *parents: Arm, base: str = "text") -> Arm:
    return arm("full", recipe, base=base, parents=parents)


@functools.cache
def instruct(base: str = "text") -> Arm:
    """The partner of every merge."""
    return full(GENERAL_DPO, full(GENERAL_SFT, base=base), base=base)


@functools.cache
def tuned(start: str, stage: str, base: str = "text", cpt: Recipe = CPT) -> Arm:
    """A stage such as `cpt.sft.dpo` of one start. cpt: the recipe of its continued pretraining."""
    above, _, last = stage.rpartition(".")
    if above:
        return full(STEPS[last], tuned(start, above, base, cpt), base=base)
    return full(cpt, *([instruct(base)] if start == "instruct" else []), base=base)


def merged(model: Arm, method: str = "slerp", schedule: str = "reference") -> Arm:
    """A model with its partner; the reference schedule is the methods' default."""
    design = () if schedule == "reference" else (("schedule", schedule),)
    return Arm(method=method, design=design, base=model.base, parents=(instruct(model.base), model))


def merges(models: Iterable[Arm], method: str = "slerp") -> tuple[Arm, ...]:
    return tuple(merged(m, method) for m in models)


def after(start: str, epoch: int) -> Arm:
    """Continued pretraining that ended early, on the schedule of all epochs."""
    recipe = CPT if epoch == EPOCHS else TEXT(fraction=SHARE, stop_after=epoch)
    return tuned(start, "cpt", cpt=recipe)


def replicated(start: str) -> Arm:
    """cpt.sft merged with itself but for the order of the rows of its last stage."""
    again = Recipe(disciplines=DOMAINS, fraction=SHARE, general_share=1.0, replica=2)
    parents = [tuned(start, "cpt.sft"), full(again, tuned(start, "cpt"))]
    return arm("slerp", base="text", parents=parents)


BASE, INSTRUCT = untrained(), instruct()
FROM = {start: tuple(tuned(start, stage) for stage in STAGES) for start in STARTS}
TUNED = tuple(model for models in FROM.values() for model in models)
MERGED = merges(TUNED)
LORA_SFT = arm("lora", SFT, base="text", parents=[INSTRUCT])
# What the schedules are compared on, and the clean and the extended corpus.
SCHEDULED = tuned("instruct", "cpt.sft.orpo")


def stages_of(*stages: str) -> tuple[Arm, ...]:
    """These stages of both starts."""
    return tuple(tuned(start, stage) for start in STARTS for stage in stages)


def over_mean(models: Iterable[Arm]) -> Weights:
    """Merges less the mean of their two parents."""
    models = tuple(models)
    share = 1 / len(models)
    weights: dict[Arm, float] = {}
    for model in models:
        for one, weight in ((merged(model), 1.0), (model, -0.5), (instruct(model.base), -0.5)):
            weights[one] = weights.get(one, 0.0) + weight * share
    return tuple(weights.items())


def on_domain(treatments: Iterable[Arm], controls: Iterable[Arm]) -> Contrast:
    return difference(treatments, controls, DOMAINS)


def learned(
    name: str, models: Iterable[Arm], base: Arm, target: Target = DOMAINS, above: float = 0.0
) -> Check:
    """An assay: these models, pooled, score above the one that did not learn the domain."""
    return Check(
        name=name,
        kind="assay",
        claim=f"the adapted models score more than {above:g} points above {name_of(base)}",
        estimand=difference(models, [base], target),
        above=above,
    )


# ------------------------------------------------------------------------------------ names


@functools.cache
def _names() -> dict[Arm, str]:
    found: dict[Arm, str] = {}
    for base in LADDER:
        where = "" if base == "text" else f" {base}"
        found[untrained(base)] = f"base{where}"
        found[instruct(base)] = f"instruct{where}"
        for start in STARTS:
            named = {stage: tuned(start, stage, base) for stage in STAGES}
            if base == "text":
                named |= {f"cpt@{e}": after(start, e) for e in range(1, EPOCHS)}
                named |= {
                    "cpt.extended": tuned(start, "cpt", cpt=EXTENDED),
                    "cpt.larger": tuned(start, "cpt", cpt=LARGER),
                }
                found[replicated(start)] = f"{start}.self"
            for stage, model in named.items():
                found[model] = f"{start}{where}.{stage}"
    found[LORA_SFT] = "instruct.lora-sft"
    return found


def name_of(found: Arm) -> str:
    """An arm of the study in short: `instruct.cpt.sft`, `base.cpt+slerp`, `...+slerp:linear`."""
    if found in _names():
        return _names()[found]
    if found.method in ("slerp", "lerp") and len(found.parents) == 2:
        schedule = f":{found.choices['schedule']}" if found.choices else ""
        return f"{name_of(found.parents[1])}+{found.method}{schedule}"
    return found.name
