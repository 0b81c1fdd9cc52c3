"""A run's folder: who may write to it, and whether it is complete. No torch."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError

RECORD, ADAPTER, CHECKPOINTS, LOCK = "train.json", "adapter", "checkpoints", ".lock"


def weight_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every safetensors file of an adapter or model folder, by file name."""
    hashes = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            hashes[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def read_record(out: Path) -> dict[str, Any] | None:
    """train.json of a run folder; None if it is absent or no JSON object."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def is_complete(out: Path, run_id: str) -> bool:
    """Whether train.json names this run and the hashes of the weights that lie beside it."""
    record = read_record(out)
    if record is None or record.get("run_id") != run_id or not record.get("weights"):
        return False
    return weight_hashes(out / ADAPTER) == record["weights"]


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the run folder. The lock ends with the process, however that ends.

    Raises InputError while another live process holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise InputError(
                f"run folder {out.name!r}: locked by {holder}, expected no live writer; wait for "
                f"it or end it, then start again"
            ) from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        yield
