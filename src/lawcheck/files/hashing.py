"""SHA-256 of files, read in pieces since they may be larger than memory, and of plain data."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

# Bytes from which a file is hashed once a process: every run asks for its base model's weights.
LARGE = 1 << 26


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits. Raises OSError for a file that cannot be read.

    A large file is read again only where its inode, size or one of its times is another.
    """
    with path.open("rb") as stream:
        now = os.fstat(stream.fileno())
        if now.st_size < LARGE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    state = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    return _large_sha256(path, state)


@functools.lru_cache(maxsize=64)
def _large_sha256(path: Path, state: tuple[int, ...]) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any, length: int = 12) -> str:
    """Hex SHA-256 prefix of the canonical JSON form of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
