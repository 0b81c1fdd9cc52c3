"""Asked to end, by SIGTERM or Ctrl-C: a training keeps a checkpoint first, all else ends at once.

Slurm sends SIGTERM before SIGKILL when a job is cancelled, preempted or out of time.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_deferred = 0
_asked: int | None = None


class Interrupted(KeyboardInterrupt):
    """This process was asked to end. number: of the signal; kept: what goes on from where."""

    def __init__(self, number: int, kept: str = "") -> None:
        super().__init__(number, kept)
        self.number, self.kept = number, kept

    @property
    def line(self) -> str:
        kept = self.kept or "what is complete is kept"
        name = signal.Signals(self.number).name
        return f"ended by {name}: {kept}; the same command goes on from there"

    @property
    def status(self) -> int:
        """Exit status, as a shell gives it for a process that a signal ended."""
        return 128 + self.number


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Inside, SIGTERM and SIGINT raise Interrupted. Signals that are ignored stay ignored."""
    global _asked
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked = None
    heard = [s for s in SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    before = {s: signal.signal(s, _hear) for s in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Inside, a signal only makes `asked` true; Interrupted follows at the end, if nothing else.

    A second Ctrl-C ends the process at once.
    """
    global _deferred
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1
    if _asked is not None and not _deferred:
        raise Interrupted(_asked)


def asked() -> int | None:
    """The signal that asked this process to end, while that is deferred."""
    return _asked


def _hear(number: int, frame: FrameType | None) -> None:
    global _asked
    # Slurm and shells may send SIGTERM more than once; a person who repeats Ctrl-C means it.
    again = _asked is not None and number == signal.SIGINT
    _asked = number
    if again or not _deferred:
        raise Interrupted(number)
