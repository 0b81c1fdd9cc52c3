"""Standard input copied to a file, whose path no verdict, note or page names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

STDIN = "-"
WORDS = "standard input"
_copies: set[str] = set()


@contextlib.contextmanager
def standing_in(path: str) -> Iterator[None]:
    """Inside, this file stands for standard input."""
    _copies.add(path)
    try:
        yield
    finally:
        _copies.discard(path)


def named(text: str) -> str:
    """Text that says standard input where it named the copy."""
    for path in _copies:
        text = text.replace(path, WORDS)
    return text


def word(path: Path) -> str:
    """What names a file on a command line."""
    return STDIN if str(path) in _copies else path.as_posix()
