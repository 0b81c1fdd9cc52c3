"""Model and adapter folders made by others: looked at before a library opens them.

Pickles (`*.bin`, `*.pt`, `*.pkl`) can run code when they are loaded, and a configuration can name
code of its own to import. Neither is ever loaded; docs/security.md says what else is not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError

ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
# Keys by which a configuration asks for code that lies beside it.
CODE_KEYS = ("auto_map", "trust_remote_code", "custom_pipelines")


def check_model(folder: Path | str) -> None:
    """Refuse a model folder without safetensors, or that asks for code of its own.

    Names of a hub's models pass: they are loaded with use_safetensors and without remote code.
    Raises InputError.
    """
    path = Path(folder)
    if not path.is_dir():
        return
    what = f"model folder {str(path)!r}"
    pickles = _pickles(path)
    if pickles and not any(path.glob("*.safetensors")):
        raise InputError(
            f"{what}: found weights only as {pickles[0]!r}, a pickle, expected *.safetensors; "
            f"convert it where you trust it: save_pretrained of transformers writes safetensors"
        )
    for name in ("config.json", "tokenizer_config.json"):
        _no_code(path / name, what)


def check_adapter(folder: Path) -> None:
    """Refuse an adapter folder that holds a pickle, even beside safetensors. Raises InputError."""
    what = f"adapter folder {str(folder)!r}"
    pickles = _pickles(folder)
    if pickles:
        raise InputError(
            f"{what}: found {pickles[0]!r}, a pickle, expected {ADAPTER_WEIGHTS} alone; convert it "
            f"where you trust it, or remove it"
        )
    _no_code(folder / "adapter_config.json", what)


def _pickles(folder: Path) -> list[str]:
    # What transformers writes beside a trained model holds no weights.
    return sorted(
        p.name
        for p in (folder.iterdir() if folder.is_dir() else ())
        if p.suffix in PICKLES and p.name != "training_args.bin"
    )


def _no_code(path: Path, what: str) -> None:
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return  # Whoever reads it says what is wrong with it.
    # peft's own field of this name in an adapter's configuration is empty unless code is named.
    asked = [k for k in CODE_KEYS if isinstance(found, dict) and found.get(k)]
    if asked:
        raise InputError(
            f"{what}: {path.name} asks for code of its own ({asked[0]!r}), which is never run; use "
            f"a model that transformers has itself, or remove the entry"
        )
