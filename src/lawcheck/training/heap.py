"""Memory between the runs of a job: objects that stay, and what a run leaves behind."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Inside, collections pass over what is alive now; what comes later is collected as ever.

    Modules and the questions of a study live as long as their job, and every full collection
    would walk them all again. What came and became garbage inside is collected at the end: a
    trainer and its model refer to one another, and the next `settled` would keep them, too.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        _trim()


def _trim() -> None:
    """Give free pages back, where the C library keeps them: a third of what a step took."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
