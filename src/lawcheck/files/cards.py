"""The model card beside a saved model. It is no part of the model: no seal or digest knows it."""

from __future__ import annotations

from pathlib import Path

CARD = "README.md"
MARK = "<!-- written by lawcheck -->"


def is_card(path: Path) -> bool:
    """Whether a file is a card that was written here, and not one that came with a model."""
    if path.name != CARD or not path.is_file():
        return False
    with path.open("rb") as stream:
        return MARK.encode() in stream.read(4096)
