"""One live writer at a time: a lock that ends with the process holding it, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lawcheck.errors import InputError

POLL_SECONDS = 0.2


@contextlib.contextmanager
def held(lock: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock file, made where it is absent. what: names what it guards in messages.

    wait: seconds to wait for another live holder to end; one line on stderr says so.
    Raises InputError while another live process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Not inherited by the programs that this process starts: they may outlive it.
    with lock.open("a+", encoding="utf-8") as stream:
        limit, told = time.monotonic() + wait, False
        while not _taken(stream.fileno()):
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            if time.monotonic() >= limit:
                waited = f" for {wait:.0f} s" if wait else ""
                raise InputError(
                    f"{what}: locked{waited} by {holder}, expected no live writer; wait for it or "
                    f"end it, then start again"
                )
            if not told:
                print(
                    f"lawcheck: {what}: locked by {holder}; waiting up to {wait:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
                told = True
            time.sleep(POLL_SECONDS)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        yield


def is_held(lock: Path) -> bool:
    """Whether a live process holds the lock file; False where there is none."""
    try:
        with lock.open("a+", encoding="utf-8") as stream:
            return not _taken(stream.fileno())
    except FileNotFoundError:
        return False


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
