"""A run's folder: what lies in it, and whether it is complete. No torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.reading import read_object

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
        return read_object(out / RECORD, "train the run again")
    except InputError:
        return None


def is_complete(out: Path, run_id: str) -> bool:
    """Whether train.json names this run and the hash of the weights that lie beside it."""
    record = read_record(out)
    if record is None or record.get("run_id") != run_id or not record.get("weights_sha256"):
        return False
    return weights_sha256(out / ADAPTER) == record["weights_sha256"]
