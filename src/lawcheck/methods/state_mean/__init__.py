"""Adapters side by side: the mean of the last hidden states that a text has under each of them.

As EMORL aggregates its models (Kong et al. 2025), over fine-tuned adapters: every adapter's states
go through the whole decoder and meet before the output embedding. Shares are searched by the loss
of right answers, where EMORL scores generations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.methods import adapters, soup, wrapped
from lawcheck.methods.base import AdapterSettings, Design, Method

METHOD = Method(
    name="state_mean",
    title="Averaged states",
    short="States",
    version=1,
    trains="nothing",
    group="peft",
    takes="adapters",
    trains_rows=False,
    design={"shares": "searched"},
    choices={"shares": ("searched", "equal")},
)
MOST = 7
KIND = "STATE_MEAN"
# Of a model: what it is made from.
MADE = "lawcheck_state_mean"

trainable_parameters, added_parameters = soup.trainable_parameters, soup.added_parameters


def build(
    model: Any,
    design: Design,
    settings: AdapterSettings,
    seed: int,
    parents: Mapping[str, Path] | None = None,
) -> Any:
    """The model with all adapters, each at an equal share; its cache holds the states of each.

    Raises InputError for fewer than two parents, for one that is no plain LoRA of the settings, and
    for more than shares can be searched for.
    """
    from safetensors.torch import load_file

    folders = soup.several("state_mean", parents)
    searched = METHOD.validate(design)["shares"] == "searched"
    if searched and len(folders) > MOST:
        raise InputError(
            f"method 'state_mean': a grid of shares over {len(folders)} adapters has "
            f"{3 ** len(folders):,} points, expected at most {MOST} adapters; choose shares equal"
        )
    for name, folder in folders.items():
        adapters.require_matching(name, folder, settings)
    built = _built(model, len(folders), settings)
    for place, (name, folder) in enumerate(folders.items()):
        stored = load_file(folder / adapters.WEIGHTS)
        for key, module in wrapped.modules(built):
            for part, matrix in (("lora_A", module.down), ("lora_B", module.up)):
                tensor = stored.pop(f"base_model.model.{key}.{part}.weight", None)
                if tensor is None or tensor.shape != matrix[place].shape:
                    raise InputError(
                        f"adapter {name!r} in {str(folder)!r}: {key}.{part} does not fit the "
                        f"model; train it on the same base model"
                    )
                matrix.data[place] = tensor
        if stored:
            raise InputError(
                f"adapter {name!r} in {str(folder)!r}: tensor {min(stored)!r} has no place in the "
                f"model; train it on the same base model"
            )
    built.searches_shares = searched
    return built


def fit_on_tuning(model: Any, answers: Callable[[], tuple[Any, Any]]) -> None:
    """Set the shares to those under which the answers are most likely."""
    if model.searches_shares:
        from lawcheck.methods.state_mean.layer import search

        search(model, answers)


def _built(model: Any, count: int, settings: AdapterSettings) -> Any:
    from lawcheck.methods.state_mean.layer import EachLinear, average

    wrapped.wrap(model, settings, 0, lambda linear, *_: EachLinear(linear, count, settings))
    average(model, count)
    setattr(model, MADE, {"adapters": count, **wrapped.settings_fields(settings)})
    return model


def save(model: Any, folder: Path) -> None:
    wrapped.save(model, folder, KIND, getattr(model, MADE))


def load(base_model: Any, folder: Path) -> Any:
    """Raises InputError for a folder that does not fit."""
    config = wrapped.config_of(folder, KIND)
    built = _built(base_model, config["adapters"], wrapped.settings_of(config))
    return wrapped.restore(built, folder)
