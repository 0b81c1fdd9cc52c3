"""Building, saving and loading adapter folders, shared by the PEFT methods."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files.cards import CARD
from lawcheck.files.foreign import check_adapter
from lawcheck.files.reading import read_object, short
from lawcheck.methods.base import AdapterSettings
from lawcheck.methods.targets import check_targets

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
AGAIN = "train the run again"
FLOATS = ("F64", "F32", "F16", "BF16")


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, leave torch's generator as it was.

    Adapters are initialised on the CPU, so its generator is the only one that matters.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield


def add_adapter(
    model: Any, config: Callable[..., Any], settings: AdapterSettings, seed: int, **fields: Any
) -> Any:
    """A PeftModel whose initial weights follow the seed. fields: of the configuration, beyond the
    settings'. Raises InputError for a model that lacks one of the settings' modules somewhere."""
    from peft import get_peft_model

    check_targets(model, settings.modules)
    made = config(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.modules),
        task_type="CAUSAL_LM",
        **fields,
    )
    with seeded(seed):
        return get_peft_model(model, made)


def save_adapter(model: Any, folder: Path) -> None:
    """adapter_config.json and adapter_model.safetensors; equal adapters give equal bytes, but for
    the folder of the base model, which the configuration names."""
    model.save_pretrained(folder, safe_serialization=True)
    settle(folder)


def settle(folder: Path) -> None:
    """Put what peft wrote into the form that equal adapters share."""
    # peft's own says nothing of the run; lawcheck.pipeline.cards writes another.
    (folder / CARD).unlink(missing_ok=True)
    # peft keeps the targets in a set, whose order changes from process to process.
    config = read_config(folder)
    if isinstance(config["target_modules"], list):
        config["target_modules"] = sorted(config["target_modules"])
    # peft looks for the base model from the working folder of whoever loads the adapter.
    base = config.get("base_model_name_or_path")
    if base and Path(base).is_dir():
        config["base_model_name_or_path"] = str(Path(base).resolve())
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's configuration. Raises InputError where there is none."""
    check_adapter(folder)
    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"adapter folder {str(folder)!r}: expected {CONFIG} and {WEIGHTS}; "
            f"train the run or give the folder that holds them"
        )
    return read_object(path, AGAIN, f"adapter folder {str(folder)!r}: {CONFIG}")


# Settings under which an adapter's A and B are not what is added to a linear module as B A times
# alpha / rank, each with the values that change nothing.
PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "use_dora": (False, None),
    "use_rslora": (False, None),
    "use_qalora": (False, None),
    "use_bdlora": (False, None),
    "lora_bias": (False, None),
    "fan_in_fan_out": (False, None),
    "init_lora_weights": (True, False, None, "gaussian", "orthogonal", "eva"),
    "alpha_pattern": ({}, None),
    "rank_pattern": ({}, None),
    "modules_to_save": ([], None),
    "layers_to_transform": ([], None),
    "layer_replication": ([], None),
    "target_parameters": ([], None),
    "trainable_token_indices": ([], {}, None),
    "alora_invocation_tokens": ([], None),
    "arrow_config": (None,),
    "kasa_config": (None,),
}


def require_plain(name: str, folder: Path, but: Collection[str] = ()) -> dict[str, Any]:
    """The configuration of an adapter whose A and B mean what plain LoRA's do.

    peft's PiSSA, OLoRA, CorDA and LoRA-GA change the base's own weights when they are loaded, so
    that A and B alone are another update. but: settings that the caller reads himself. Raises
    InputError, which names the setting.
    """
    config = read_config(folder)
    for key, allowed in PLAIN.items():
        value = config.get(key, allowed[0])
        if key not in but and value not in allowed:
            raise InputError(
                f"adapter {name!r} in {str(folder)!r}: {key} is {value!r}, expected "
                f"{allowed[0]!r}, since its A and B alone are another update; train it as plain "
                f"LoRA, or convert it"
            )
    return config


def require_matching(name: str, folder: Path, settings: AdapterSettings) -> None:
    """Raises InputError for an adapter that is not plain, or of another rank, alpha or targets."""
    config = require_plain(name, folder)
    expected: dict[str, Any] = {
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "target_modules": sorted(settings.modules),
    }
    targets = config.get("target_modules")
    targets = sorted(map(str, targets)) if isinstance(targets, list) else targets
    found = {**config, "target_modules": targets}
    for key, value in expected.items():
        if found.get(key) != value:
            raise InputError(
                f"expert {name!r} in {str(folder)!r}: {key} is {found.get(key)!r}, expected "
                f"{value!r}; train it with the composition's settings"
            )


def stored_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every stored tensor by its name. Raises InputError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            slices = {k: file.get_slice(k) for k in file.keys()}  # noqa: SIM118
            found = {k: (tuple(s.get_shape()), s.get_dtype()) for k, s in slices.items()}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"adapter folder {str(folder)!r}: {WEIGHTS} is damaged ({short(error)}); {AGAIN}"
        ) from None
    for key, (_, dtype) in found.items():
        # A cast would make numbers of anything.
        if dtype not in FLOATS:
            raise InputError(
                f"adapter folder {str(folder)!r}: tensor {key!r} is of type {dtype}, expected one "
                f"of {', '.join(FLOATS)}; {AGAIN}"
            )
    return {key: shape for key, (shape, _) in found.items()}


def load_adapter(base_model: Any, folder: Path, peft_type: str) -> Any:
    """The base model with the adapter of `folder`, frozen, in evaluation mode.

    Raises InputError where the folder holds another kind of adapter, or where its tensors are
    not exactly those the model needs: peft itself only warns, and then answers with fresh ones.
    """
    from peft import PeftModel, get_peft_model_state_dict

    found = read_config(folder).get("peft_type")
    if found != peft_type:
        raise InputError(
            f"adapter folder {str(folder)!r}: holds {found!r}, expected {peft_type!r}; "
            f"load it with its own method"
        )
    stored_shapes(folder)
    try:
        model = PeftModel.from_pretrained(base_model, folder)
        state = get_peft_model_state_dict(model)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        # peft checks no field of a configuration: each kind of damage fails in its own way.
        raise InputError(
            f"adapter folder {str(folder)!r}: peft cannot load it on this base model "
            f"({type(error).__name__}: {short(error)}); {AGAIN}"
        ) from None
    require_fit(state, folder)
    return model.eval()


def require_fit(state: Mapping[str, Any], folder: Path) -> None:
    """Compare a folder's tensors with the loaded ones.

    Raises InputError where any is missing, superfluous or of another shape.
    """
    stored = stored_shapes(folder)
    needed = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(needed.keys() | stored.keys()):
        if needed.get(key) != stored.get(key):
            raise InputError(
                f"adapter folder {str(folder)!r}: tensor {key!r} has shape {stored.get(key)}, the "
                f"model needs {needed.get(key)}; load it on the base model it was trained on"
            )
