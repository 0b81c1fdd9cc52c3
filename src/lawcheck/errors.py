"""The one exception that a user is meant to read."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class InputError(Exception):
    """Bad input or misuse: one line that names object, found, expected and next step.

    The command line prints the line and exits with status 2; no traceback.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Phrase the known names closest to `name`, for the end of an error line."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known) or 'none'}"


def look_up(name: str, among: Mapping[str, T], problem: str) -> T:
    """What is called so. Raises InputError with the problem and the nearest names."""
    if name not in among:
        raise InputError(f"{problem}; {nearest(name, among)}")
    return among[name]


# Longer lines are cut in the middle: the object stands at the start, the next step at the end.
LONGEST = 400
_WRONG_PATH = {
    errno.ENOENT,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTEMPTY,
}


def one_line(text: str) -> str:
    """Text of an error line, without what would break a terminal.

    Line ends, control characters, half characters and those that turn the direction of writing
    may come from the input; they are shown as escapes.
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if len(shown) <= LONGEST:
        return shown
    head = LONGEST * 2 // 3
    return f"{shown[:head]} [...] {shown[head + 7 - LONGEST :]}"


def wrong_path(error: BaseException) -> str | None:
    """One line for a path that names nothing, or something of another kind; None otherwise."""
    if not isinstance(error, OSError) or error.errno not in _WRONG_PATH or not error.filename:
        return None
    path = os.fsdecode(error.filename2 or error.filename)
    return (
        f"path {path!r}: {os.strerror(error.errno).lower()}; "
        f"name another, or correct what lies there"
    )
