"""MTL-LoRA: one A, a small matrix and a mix of several B for each task, whose name is known.

After Yang et al. 2024: the update of task t is alpha / rank sum_i softmax(w_t / tau)_i B_i L_t A.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lawcheck.methods import wrapped
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="mtl_lora",
    title="MTL-LoRA",
    short="MTL-LoRA",
    version=1,
    trains="A, several B, and a matrix and a mix per task, per adapted module",
    group="peft",
    design={"tasks": 12, "ups": 3, "rank_multiple": 1},
)
KIND = "MTL_LORA"
TEMPERATURE = 0.1
# Of a model: what it is made from.
MADE = "lawcheck_mtl_lora"


def build(model: Any, design: Design, settings: AdapterSettings, seed: int, *_: Any) -> Any:
    """The model with tasks; it equals `model` until it is trained.

    Its tell_tasks(places) says which task the next tokens are of: a number, one for each token, or
    None for the mean of all tasks' updates.
    """
    chosen = METHOD.validate(design)
    return _built(model, chosen, settings.times(chosen["rank_multiple"]), seed)


def _built(model: Any, chosen: dict[str, Any], settings: AdapterSettings, seed: int) -> Any:
    from lawcheck.methods.mtl_lora.layer import TaskLinear, Told

    told = Told()
    tasks, ups = chosen["tasks"], chosen["ups"]

    def around(linear: Any, layer: int, layers: int) -> Any:
        return TaskLinear(linear, tasks, ups, TEMPERATURE, settings, told)

    wrapped.wrap(model, settings, seed, around)
    tell: Callable[[Any], None] = told.tell
    model.tell_tasks = tell
    setattr(model, MADE, {"tasks": tasks, "ups": ups, **wrapped.settings_fields(settings)})
    return model


save, load = wrapped.persistence(KIND, MADE, _built)


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    chosen = METHOD.validate(design)
    settings = settings.times(chosen["rank_multiple"])
    inputs, outputs = shapes.adapted(settings)
    modules = shapes.layers * len(set(settings.modules))
    of_tasks = modules * chosen["tasks"] * (settings.rank**2 + chosen["ups"])
    return settings.rank * (inputs + chosen["ups"] * outputs) + of_tasks


added_parameters = trainable_parameters
