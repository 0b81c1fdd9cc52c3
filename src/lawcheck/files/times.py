"""Times of files after a clock was set back. Workflow engines go by them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

# What a server's clock may be ahead of this machine's.
TOLERANCE = 2.0


def settle(folders: Iterable[Path]) -> int:
    """Give files of the future the present time; return how many there were.

    A file that a clock ahead of time has written stays newer than all that is made of it until
    that time has come, and Snakemake fails every job in between. Made present, it counts as
    changed: what depends on it is looked through once more, and runs that are complete stay.
    """
    found = 0
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_mtime > time.time() + TOLERANCE:
                os.utime(path)
                found += 1
    return found
