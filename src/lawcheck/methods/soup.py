"""One adapter in place of several: their ranks side by side, each with an equal share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.methods import adapters, lora
from lawcheck.methods.base import AdapterSettings, Design, Method, ModelShapes

METHOD = Method(
    name="soup",
    title="Concatenated adapters",
    short="Soup",
    version=1,
    trains="nothing",
    group="peft",
    takes="adapters",
    trains_rows=False,
)
NAME = "soup"

load = lora.load


def several(method: str, parents: Mapping[str, Path] | None) -> dict[str, Path]:
    """Raises InputError for fewer than two parents."""
    folders = dict(parents or {})
    if len(folders) < 2:
        raise InputError(
            f"method {method!r}: found {len(folders)} adapters, expected two or more; name its "
            f"parents"
        )
    return folders


def build(
    model: Any,
    design: Design,
    settings: AdapterSettings,
    seed: int,
    parents: Mapping[str, Path] | None = None,
) -> Any:
    """A PeftModel of the parents' mean update, peft's `cat`: exact, its rank the sum of theirs.

    Raises InputError for fewer than two parents and for an adapter that is no plain LoRA.
    """
    from peft import PeftModel

    folders = several("soup", parents)
    for name, folder in folders.items():
        adapters.require_plain(name, folder)
    joined: Any = None
    for k, folder in enumerate(folders.values()):
        if joined is None:
            joined = PeftModel.from_pretrained(model, folder, adapter_name="a0")
        else:
            joined.load_adapter(folder, adapter_name=f"a{k}")
    names = [f"a{k}" for k in range(len(folders))]
    shares = [1.0 / len(names)] * len(names)
    joined.add_weighted_adapter(names, shares, NAME, combination_type="cat")
    for name in names:
        joined.delete_adapter(name)
    joined.set_adapter(NAME)
    return joined.requires_grad_(False).eval()


def save(model: Any, folder: Path) -> None:
    """As any LoRA, at the top of the folder."""
    inner = folder / NAME
    model.save_pretrained(folder, safe_serialization=True, selected_adapters=[NAME])
    for path in inner.iterdir():
        path.rename(folder / path.name)
    inner.rmdir()
    adapters.settle(folder)


def trainable_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    return 0


def added_parameters(shapes: ModelShapes, design: Design, settings: AdapterSettings) -> int:
    """Of two parents with the settings' rank, the fewest there are."""
    return 2 * settings.rank * sum(shapes.adapted(settings))
