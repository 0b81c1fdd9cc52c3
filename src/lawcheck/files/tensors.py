"""Tensors of safetensors files, read and written piece by piece. Neither torch nor mmap.

Mapped pages count as resident until the kernel wants them back, so that a model of 15 GB would look
like 15 GB of memory; plain reads hold one piece.
Format: https://huggingface.co/docs/safetensors, a length of 8 bytes, JSON, then the tensors.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from lawcheck.errors import InputError
from lawcheck.files.reading import read_object, short

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LARGEST_HEADER = 100_000_000  # bytes, the format's own limit
# Bytes of a number.
SIZES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
AGAIN = "fetch or save the model again"


class Stored(NamedTuple):
    """Where a tensor lies. start: of its bytes in the file, size: how many."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor of a model folder, of one file or of shards with an index.

    Raises InputError for a folder without safetensors, a shard that is missing, a file that is cut
    or damaged, an index that disagrees with its shards, and one beside a whole model.
    """
    index = folder / INDEX
    if not index.is_file():
        if not (folder / SINGLE).is_file():
            raise InputError(
                f"model folder {str(folder)!r}: expected {SINGLE}, or {INDEX} with its shards; "
                f"name the folder that holds the model"
            )
        return _of_file(folder / SINGLE)
    places = read_object(index, AGAIN, f"model folder {str(folder)!r}: {INDEX}").get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(p, str) for p in places.values()):
        raise InputError(f"{index}: no weight_map of tensors to files; {AGAIN}")
    found: dict[str, Stored] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard or not (folder / shard).is_file():
            raise InputError(f"{index}: names shard {shard!r}, which is not there; {AGAIN}")
        own = _of_file(folder / shard)
        said = {name for name, place in places.items() if place == shard}
        if said != own.keys():
            name = min(said ^ own.keys())
            where = "the index alone" if name in said else "the file alone"
            raise InputError(f"{folder / shard}: tensor {name!r} is in {where}; {AGAIN}")
        found |= own
    if (folder / SINGLE).is_file() and SINGLE not in places.values():
        raise InputError(
            f"model folder {str(folder)!r}: holds {SINGLE} beside the shards of {INDEX}, two "
            f"models of which transformers loads the first; remove the one that is stale"
        )
    return found


def _of_file(path: Path) -> dict[str, Stored]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            total = os.fstat(stream.fileno()).st_size - 8 - length
            if length > LARGEST_HEADER or total < 0:
                raise ValueError("cut short")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        found, end = {}, 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            start, stop = entry["data_offsets"]
            shape = tuple(entry["shape"])
            size = math.prod(shape) * SIZES[entry["dtype"]]
            if start != end or stop - start != size:
                raise ValueError(f"tensor {name!r} does not fill its place")
            found[name] = Stored(path, entry["dtype"], shape, 8 + length + start, size)
            end = stop
        if end != total:
            raise ValueError(f"{total} bytes of tensors, expected {end}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a whole safetensors file ({short(error)}); {AGAIN}"
        ) from None
    return found


class Files:
    """Files that tensors are read from, opened once."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._open: dict[Path, BinaryIO] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read_into(self, tensor: Stored, offset: int, buffer: memoryview) -> None:
        """Fill the buffer with bytes of a tensor, from `offset` on."""
        if tensor.file not in self._open:
            # Pieces are larger than Python's own buffer would be.
            stream = tensor.file.open("rb", buffering=0)
            self._open[tensor.file] = self._stack.enter_context(stream)
        handle, done = self._open[tensor.file].fileno(), 0
        while done < len(buffer):
            got = os.preadv(handle, [buffer[done:]], tensor.start + offset + done)
            if not got:
                raise InputError(f"{tensor.file}: was cut while it was read; {AGAIN}")
            done += got


def shards(tensors: Mapping[str, Stored], largest: int) -> list[list[str]]:
    """Names of the tensors in files of at most so many bytes, or of one larger tensor."""
    found: list[list[str]] = []
    room = 0
    for name, tensor in tensors.items():
        if not found or tensor.size > room:
            found.append([])
            room = largest
        found[-1].append(name)
        room -= tensor.size
    return found


def header(tensors: Mapping[str, Stored]) -> bytes:
    """What stands before these tensors in a file of their own, in this order."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        place = [end, end := end + tensor.size]
        entries[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": place}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def pieces(size: int, largest: int) -> Iterator[tuple[int, int]]:
    """Offset and bytes of the pieces of so many bytes."""
    for offset in range(0, size, largest):
        yield offset, min(largest, size - offset)
