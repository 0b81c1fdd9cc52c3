"""A folder as pieces that travel one by one, and back; what arrives is compared by hash.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tarfile
from pathlib import Path

INDEX = "pieces.json"
BLOCK = 1 << 20


def split(folder: Path, into: Path, size: int) -> list[Path]:
    """Write `into`/piece.00, piece.01 and so on, and their index. size: bytes of a piece."""
    for old in into.glob("piece.*"):
        old.unlink()
    whole = into / "whole.tar.gz"
    with tarfile.open(whole, "w:gz", compresslevel=6) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.add(path, path.relative_to(folder).as_posix())
    pieces, entries = [], []
    with whole.open("rb") as stream:
        while content := stream.read(size):
            piece = into / f"piece.{len(pieces):02}"
            piece.write_bytes(content)
            pieces.append(piece)
            entries.append({"name": piece.name, "sha256": hashlib.sha256(content).hexdigest()})
    index = {"sha256": sha256(whole), "bytes": whole.stat().st_size, "pieces": entries}
    (into / INDEX).write_text(json.dumps(index, indent=1) + "\n")
    whole.unlink()
    return pieces


def join(folder: Path, target: Path) -> None:
    """Unpack the pieces of `folder` into `target`, once all are there and whole; else exit."""
    try:
        index = json.loads((folder / INDEX).read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{folder / INDEX}: {error}; pack and carry it again")
    whole = folder / "whole.tar.gz"
    with whole.open("wb") as stream:
        for entry in index["pieces"]:
            piece = folder / entry["name"]
            found = sha256(piece) if piece.is_file() else "no file"
            if found != entry["sha256"]:
                whole.unlink()
                sys.exit(
                    f"{piece}: found {found[:12]}, expected {entry['sha256'][:12]}; carry this "
                    f"piece again"
                )
            with piece.open("rb") as source:
                shutil.copyfileobj(source, stream, BLOCK)
    if sha256(whole) != index["sha256"]:
        whole.unlink()
        sys.exit(f"{folder}: the pieces do not make the packed whole; pack and carry them again")
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(whole) as archive:
        archive.extractall(target, filter="data")
    whole.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
