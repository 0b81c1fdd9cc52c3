"""What a machine refuses (room, memory, permission) in one line, in place of a traceback.

The libraries below say so in many ways: by errno, inside a message, or as another failure.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator

AGAIN = "the same command goes on from what is complete"
ROOM = f"free some (a quota counts as well), then {AGAIN}"
ACCESS = f"make it writable for this user, or name another --results folder; then {AGAIN}"
MEMORY = (
    f"give the job more (snakemake --set-resources train:mem_mb=...), or lower micro_batch or "
    f"evaluation_batch in the scale's hardware; then {AGAIN}"
)
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ACCESS = {errno.EROFS, errno.EACCES, errno.EPERM}
NO_LOCK = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}

_NUMBER = re.compile(r"\(os error (\d+)\)|[Ee]rror code (\d+) \(|\[Errno (\d+)\]")
# torch's archive writer does not say why a write fell short.
_SHORT_WRITE = re.compile(r"PytorchStreamWriter failed|inline_container\.cc\S* \. unexpected pos")
_SHORT_MEMORY = re.compile(
    r"out of memory|can't allocate memory|bad_alloc|Cannot allocate memory|can't start new thread"
)
_ASKED = re.compile(
    r"(?:tried to allocate|Tried to allocate|Unable to allocate) ([\d.]+ (?:bytes|[KMGT]iB))"
)


# Of what a file holds or a library is about to change; RuntimeWarning tells of numbers and stays.
_ASIDE = (DeprecationWarning, FutureWarning, SyntaxWarning, UserWarning)


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Inside, libraries do not warn of what our own line names. `python -W` shows all of it."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            for kind in _ASIDE:
                warnings.simplefilter("ignore", kind)
        yield


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Name what was being done in the line about an error that leaves this block."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def refusal(error: BaseException) -> str | None:
    """One line for an error that the machine caused; None for every other."""
    text = " ".join(str(error).split())
    number = _errno(error, text)
    if number in NO_ROOM or (isinstance(error, RuntimeError) and _SHORT_WRITE.search(text)):
        said = f"no room left to write{_file(error)} ({_name(number)}); {ROOM}"
    elif isinstance(error, MemoryError) or number == errno.ENOMEM or _no_memory(error, text):
        asked = _ASKED.search(text)
        amount = f", asked for {asked[1]} more" if asked else ""
        said = f"out of memory{amount}; {MEMORY}"
    elif number in NO_ACCESS and isinstance(error, OSError):
        said = f"not allowed to write or read{_file(error)} ({_name(number)}); {ACCESS}"
    elif number in NO_LOCK and isinstance(error, OSError):
        said = (
            f"no file locks{_file(error)} ({_name(number)}); put the results on a file system that "
            f"has them"
        )
    elif number == errno.EIO:
        said = f"the disk failed{_file(error)} ({_name(number)}); check it, then {AGAIN}"
    else:
        return None
    return ": ".join([*getattr(error, "__notes__", [])[::-1], said])


def _errno(error: BaseException, text: str) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(text)
    return int(next(filter(None, found.groups()))) if found else None


def _no_memory(error: BaseException, text: str) -> bool:
    return isinstance(error, RuntimeError | ImportError) and bool(_SHORT_MEMORY.search(text))


def _file(error: BaseException) -> str:
    name = getattr(error, "filename", None)
    return f" {os.fspath(name)!r}" if isinstance(name, str | os.PathLike) else ""


def _name(number: int | None) -> str:
    return os.strerror(number).lower() if number else "a write fell short"
