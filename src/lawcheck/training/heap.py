"""Python's garbage collector, kept from objects that stay."""

from __future__ import annotations

import contextlib
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
