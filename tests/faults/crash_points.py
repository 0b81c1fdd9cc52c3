"""Places where a process can be made to die or to be disturbed: every change it makes to files.

`patch` wraps the calls that change files before anything imports them; `arm` then chooses, for
this process, what happens at the n-th of them. Nothing in the product knows of it.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIDES = ("before", "after", "torn")


@dataclass
class Spec:
    """at: number of the event from 1 (0: none). side: of the call; torn: half of what it wrote.

    signal: sent to this process. kinds: events counted (all). trace: file that lists every event.
    """

    at: int = 0
    side: str = "before"
    signal: int = signal.SIGKILL
    kinds: tuple[str, ...] = ()
    trace: str = ""


_spec = Spec()
_seen = 0


def arm(spec: Spec) -> None:
    global _spec, _seen
    _spec, _seen = spec, 0


def event(kind: str, path: object = "") -> bool:
    """Count an event; whether it is the chosen one."""
    global _seen
    if _spec.kinds and kind not in _spec.kinds:
        return False
    _seen += 1
    if _spec.trace:
        with open(_spec.trace, "a", encoding="utf-8") as stream:
            stream.write(f"{_seen} {kind} {path}\n")
    return _seen == _spec.at


def _strike() -> None:
    os.kill(os.getpid(), _spec.signal)


def _wrap(owner: Any, name: str, place: Callable[..., object], tears: bool = False) -> None:
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = place(*args, **kwargs)
        chosen = event(name, where)
        if chosen and _spec.side == "before":
            _strike()
        result = plain(*args, **kwargs)
        if chosen and _spec.side == "torn" and tears and Path(str(where)).is_file():
            os.truncate(str(where), Path(str(where)).stat().st_size // 2)
        if chosen and _spec.side != "before":
            _strike()
        return result

    setattr(owner, name, wrapped)


def patch() -> None:
    """Wrap the calls; before the libraries that import them by name."""
    for name in ("replace", "rename"):
        _wrap(os, name, lambda source, target, **_: f"{source} -> {target}")
    _wrap(os, "fsync", lambda handle: os.readlink(f"/proc/self/fd/{_number(handle)}"))
    _wrap(os, "unlink", lambda path, **_: path)
    _wrap(shutil, "rmtree", lambda path, *_, **__: path)
    for name in ("mkstemp", "mkdtemp"):
        _wrap(tempfile, name, lambda **words: words.get("prefix", ""))
    import safetensors.torch
    import torch

    _wrap(safetensors.torch, "save_file", lambda tensors, filename, *_, **__: filename, True)
    _wrap(torch, "save", lambda thing, f, *_, **__: f, True)
    from transformers.trainer_callback import CallbackHandler, TrainerState

    _wrap(TrainerState, "save_to_json", lambda self, path: path, True)
    _wrap(CallbackHandler, "on_step_end", lambda *_: "")


def _number(handle: Any) -> int:
    return handle if isinstance(handle, int) else int(handle.fileno())
