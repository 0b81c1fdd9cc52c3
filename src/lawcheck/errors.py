"""The one exception that a user is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Bad input or misuse: one line that names object, found, expected and next step.

    The command line prints the line and exits with status 2; no traceback.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Phrase the known names closest to `name`, for the end of an error line."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known) or 'none'}"
