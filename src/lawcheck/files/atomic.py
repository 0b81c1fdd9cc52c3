"""Whole files or none: write beside the target, flush to disk, then rename.

What a killed writer leaves (`.<name>.*.part`, `.<name>.*.old`) is put right by the next writer of
the same target: an old folder that was moved aside and not replaced comes back, the rest goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError

# A leftover is older than this and locked by nobody; between its making and its locking lies
# less than a moment.
SETTLED_SECONDS = 60
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; it replaces the target on success."""
    _require_name(target)
    target = _file_to_replace(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        _hold(handle)
        yield part
        _sync(part)
        # mkstemp makes files private; results are meant to be read by colleagues.
        part.chmod(0o666 & ~_umask())
        part.replace(target)
        _sync(target.parent)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside the target; it replaces the target on success.

    In one step where the file system can exchange two folders; elsewhere the old one is away
    for a moment, and comes back with the next writer if the machine stops just then.
    """
    _require_name(target)
    if target.exists() and not target.is_dir():
        raise InputError(f"output {str(target)!r}: is no folder, expected one; name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear(target)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    handle = os.open(part, os.O_RDONLY)
    try:
        _hold(handle)
        yield part
        part.chmod(0o777 & ~_umask())
        _sync_tree(part)
        if not target.exists():
            part.replace(target)
        elif not _exchange(part, target):
            _replace_folder(part, target)
        _sync(target.parent)
    finally:
        os.close(handle)
        # Either what was not finished, or the old folder after an exchange.
        _remove(part)


def _require_name(target: Path) -> None:
    """Refuse a path that names the folder it lies in, such as an empty one. Raises InputError."""
    if target.name in ("", ".."):
        raise InputError(f"output {str(target)!r}: names nothing to write; give it a name")


def _file_to_replace(target: Path) -> Path:
    """The file itself where a link leads to one.

    Raises InputError for what is there and no regular file: renamed onto /dev/null, results would
    take the device away from the whole machine.
    """
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or a pipe"
        raise InputError(f"output {str(target)!r}: is {kind}, expected a file; name another")
    return target.resolve() if target.is_symlink() and target.exists() else target


def write_text(target: Path, text: str) -> None:
    with atomic_file(target) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, value: Any) -> None:
    """Sorted keys, two-space indent, final newline; NaN and infinity are refused."""
    write_text(target, json_text(value))


def json_text(value: Any) -> str:
    """What `write_json` writes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def leftovers(target: Path) -> list[Path]:
    """What killed writers of the target left beside it; a live writer's work is not among it."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(target.parent) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(f".{target.name}.") and name.endswith((".part", ".old")):
                # mkstemp's eight characters: the rest of a longer target's name holds a dot.
                middle = name[len(target.name) + 2 :].rpartition(".")[0]
                if "." not in middle and _abandoned(Path(entry.path)):
                    found.append(Path(entry.path))
    return sorted(found)


def _clear(target: Path) -> None:
    for path in leftovers(target):
        if path.suffix == ".old" and not target.exists():
            # Another writer may have been faster.
            with contextlib.suppress(OSError):
                path.replace(target)
        else:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _abandoned(path: Path) -> bool:
    try:
        if path.suffix == ".part" and time.time() - path.stat().st_mtime < SETTLED_SECONDS:
            return False
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _hold(handle: int) -> None:
    """Tell other writers that this one lives; file systems without locks go without."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step (renameat2, Linux); False where that is not possible."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    # EPERM: containers that do not know the call.
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _replace_folder(part: Path, target: Path) -> None:
    """In two steps; the old folder is locked meanwhile, or another writer would clear it away."""
    old = part.with_suffix(".old")
    handle = os.open(target, os.O_RDONLY)
    try:
        _hold(handle)
        target.replace(old)
        try:
            part.replace(target)
        except OSError:
            if not target.exists():
                old.replace(target)
            raise
        _sync(target.parent)
        _remove(old)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(Path(place) / name)
        _sync(Path(place))


def _sync(path: Path) -> None:
    """Bytes, or a folder's names, to the disk."""
    if path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot sync a folder.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.EBADF, errno.EROFS)):
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
