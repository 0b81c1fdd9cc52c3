"""LERP: the tensors of two whole models, joined along the line between them; the twin of SLERP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.methods import full, merging
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="lerp",
    title="LERP merge",
    short="LERP",
    version=1,
    trains="nothing",
    group="full",
    design={"schedule": "reference"},
    choices={"schedule": tuple(merging.SCHEDULES)},
    takes="models",
    trains_rows=False,
)

save, load = merging.save, full.load


def build(
    model: Any,
    design: Design,
    settings: AdapterSettings,
    seed: int,
    parents: Mapping[str, Path] | None = None,
) -> Any:
    """The merge of two folders of whole models; t = 0 is the first of them."""
    return merging.merge_into(model, parents or {}, METHOD.validate(design)["schedule"], "lerp")


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return 0


added_parameters = trainable_parameters
