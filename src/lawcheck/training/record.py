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


def weights_sha256(folder: Path) -> str | None:
    """SHA-256 of the safetensors files of a folder, end to end by name; None without any."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    sha = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()


def read_record(out: Path) -> dict[str, Any] | None:
    """train.json of a run folder; None if it is absent or no JSON object."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def is_complete(out: Path, run_id: str) -> bool:
    """Whether train.json names this run and the hash of the weights that lie beside it."""
    record = read_record(out)
    if record is None or record.get("run_id") != run_id or not record.get("weights_sha256"):
        return False
    return weights_sha256(out / ADAPTER) == record["weights_sha256"]


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
