"""A run's folder: what lies in it, and whether it is complete. No torch."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.cards import CARD
from lawcheck.files.reading import read_object

RECORD, ADAPTER, CHECKPOINTS, LOCK = "train.json", "adapter", "checkpoints", ".lock"
REFERENCE = "reference.safetensors"


class Link(NamedTuple):
    """A trained run on the way from a base model to another model. folder: of its weights."""

    run_id: str
    method: str
    folder: Path

    @property
    def whole(self) -> bool:
        """Whether the folder holds a whole model, whatever it was trained on."""
        return (self.folder / "config.json").is_file()


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


def is_trained(out: Path, run_id: str, made_from: Mapping[str, str] | None) -> bool:
    """Whether the run need not be trained: complete, as recorded, and made from what is there now.

    made_from: None compares no sources. Where a complete run is not taken, a line on stderr says
    why.
    """
    if not is_complete(out, run_id):
        return False
    try:
        origin.require(out / RECORD, "weights", run_id, "the run is trained again", made_from)
    except origin.OriginError as fault:
        print(f"lawcheck: {fault}", file=sys.stderr)
        return False
    return True


def seal(out: Path, run_id: str, made_from: Mapping[str, str] | None) -> None:
    """Record a complete run: its weights, and beside them train.json, which holds times."""
    weights = (p for p in (out / ADAPTER).rglob("*") if p.is_file() and p.name != CARD)
    names = [p.relative_to(out).as_posix() for p in weights]
    origin.seal(
        out / RECORD, "weights", run_id, files=names, beside=[RECORD], made_from=made_from or {}
    )
