"""The record of a base model, which ends what is written into its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lawcheck.declare.layout import base_name
from lawcheck.files import atomic, origin
from lawcheck.planning.shipped import RECORD


def seal_base(part: Path, base: str, seed: int | None, record: dict[str, Any]) -> None:
    """Write the record beside the weights and tokenizer in `part`, and seal all of them."""
    atomic.write_json(part / RECORD, record)
    for file in part.iterdir():
        # transformers, safetensors and tokenizers write for the owner only; a shared installation
        # must read them.
        file.chmod(0o644)
    origin.seal(
        part / RECORD,
        "base",
        base_name(base, seed),
        files=[f.name for f in part.iterdir() if f.name != RECORD],
        beside=[RECORD],
        holds={"recipe": record["recipe_digest"]},
    )
