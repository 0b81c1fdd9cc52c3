"""A discipline's training rows on disk, too many to hold: Arrow files in the order of recipes.

`<discipline>.train-<k>-of-<n>.arrow`, uncompressed Arrow IPC. Rows stand in the order of the
SHA-256 of their ids, in which a recipe takes its share (lawcheck.corpus.recipe.in_order), so that
every data fraction is a prefix. Readers map the files into memory and give a file's pages back once
they have gone through it; the process itself holds one batch of rows.

Writing takes two passes with bounded memory: rows are spread over files by the first bits of
their hash, then each file is sorted on its own.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import pyarrow as pa

from lawcheck.corpus.recipe import Row, order_key
from lawcheck.errors import InputError
from lawcheck.files.reading import short

COLUMNS = ("id", "discipline", "set", "kind", "prompt", "response")
SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])
ROWS_PER_SHARD = 32_768  # planned; the files of a discipline differ by chance
BATCH = 1024  # rows read at a time
SPILL = 512  # rows of one file held before they are written
KEPT = 256  # single rows read until all pages are given back, of some 0.4 MB a row


def shard_files(folder: Path, discipline: str) -> list[Path]:
    return sorted(folder.glob(f"{discipline}.train-*-of-*.arrow"))


class ShardWriter:
    """Takes rows in any order. planned: rows that are expected, which sets the number of files.

    limit: at most so many rows are kept, the first in hash order. Use as a context manager; the
    files are complete after `finish`.
    """

    def __init__(self, folder: Path, discipline: str, planned: int, limit: int | None) -> None:
        self.folder, self.discipline, self.limit = folder, discipline, limit
        self.count = max(1, -(-planned // ROWS_PER_SHARD))
        self._held: list[list[tuple[str, ...]]] = [[] for _ in range(self.count)]
        self._spilled: dict[int, pa.RecordBatchStreamWriter] = {}

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._spilled.values():
            writer.close()
        for path in self.folder.glob(f".{self.discipline}.*.spill"):
            path.unlink()

    def add(self, row: tuple[str, ...]) -> None:
        """row: one text per column of COLUMNS."""
        part = int.from_bytes(order_key(row[0])[:4], "big") * self.count >> 32
        held = self._held[part]
        held.append(row)
        if len(held) == SPILL:
            self._spill(part)

    def finish(self) -> dict[str, int]:
        """Sort every part and write its file. Returns file name -> rows."""
        written: dict[str, int] = {}
        left = self.limit
        for part in range(self.count):
            table = self._collect(part)
            ids = table.column("id").to_pylist()
            order = sorted(range(len(ids)), key=lambda i: order_key(ids[i]))
            if len(set(ids)) < len(ids):
                raise InputError(
                    f"discipline {self.discipline!r}: two rows have the same id; name each data "
                    f"set differently"
                )
            if left is not None:
                order = order[:left]
                left -= len(order)
            name = f"{self.discipline}.train-{part:05d}-of-{self.count:05d}.arrow"
            target = str(self.folder / name)
            with pa.OSFile(target, "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
                for start in range(0, len(order), BATCH):
                    chosen = table.take(pa.array(order[start : start + BATCH], pa.int64()))
                    writer.write_table(chosen.combine_chunks(), max_chunksize=BATCH)
            written[name] = len(order)
            # Arrow keeps the memory of a sorted part for a while, else part adds to part.
            del table
            pa.default_memory_pool().release_unused()
        return written

    def _spill_file(self, part: int) -> Path:
        return self.folder / f".{self.discipline}.{part}.spill"

    def _spill(self, part: int) -> None:
        held, self._held[part] = self._held[part], []
        if part not in self._spilled:
            sink = pa.OSFile(str(self._spill_file(part)), "wb")
            self._spilled[part] = pa.ipc.new_stream(sink, SCHEMA)
        columns = zip(*held, strict=True)
        self._spilled[part].write_batch(
            pa.record_batch([pa.array(c, pa.string()) for c in columns], schema=SCHEMA)
        )

    def _collect(self, part: int) -> pa.Table:
        if self._held[part]:
            self._spill(part)
        writer = self._spilled.pop(part, None)
        if writer is None:
            return SCHEMA.empty_table()
        writer.close()
        path = self._spill_file(part)
        with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
            table = reader.read_all().combine_chunks()
        path.unlink()
        return table


class Shards(Sequence[Row]):
    """The rows of a discipline, mapped into memory. Raises InputError for a file that is none."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._readers: list[pa.RecordBatchFileReader] = []
        self._starts = [0]
        self._places: list[tuple[int, int]] = []
        self._names: list[str] = []
        self._sound: set[int] = set()
        self._mapped: list[mmap.mmap] = []
        self._single = 0
        for path in paths:
            try:
                with path.open("rb") as stream:
                    mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                reader = pa.ipc.open_file(pa.py_buffer(mapped))
                sizes = [reader.get_batch(k).num_rows for k in range(reader.num_record_batches)]
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _fault(path.name, error) from None
            if not reader.schema.equals(SCHEMA):
                found = ", ".join(reader.schema.names)
                raise InputError(
                    f"{path.name}: found columns {found[:80]}, expected {', '.join(COLUMNS)} as "
                    f"text; build the corpus again"
                )
            for k, size in enumerate(sizes):
                self._places.append((len(self._readers), k))
                self._starts.append(self._starts[-1] + size)
            self._readers.append(reader)
            self._mapped.append(mapped)
            self._names.append(path.name)

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        at = bisect_right(self._starts, index) - 1
        self._single += 1
        if self._single % KEPT == 0:
            self._give_back(self._mapped)
        return dict(self._batch(at).slice(index - self._starts[at], 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Row]:
        """All rows, a batch in memory at a time."""
        for batch in self._batches():
            yield from batch.to_pylist()

    def ids(self) -> Iterator[str]:
        """Of all rows, without reading their texts."""
        for batch in self._batches():
            yield from batch.column("id").to_pylist()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for at, (reader, _) in enumerate(self._places):
            yield self._batch(at)
            if at + 1 == len(self._places) or self._places[at + 1][0] != reader:
                self._give_back([self._mapped[reader]])

    @staticmethod
    def _give_back(mapped: Sequence[mmap.mmap]) -> None:
        """Pages that stay would count as the process's own: 4 GB for the paper's corpus."""
        for file in mapped if hasattr(mmap, "MADV_DONTNEED") else ():
            file.madvise(mmap.MADV_DONTNEED)

    def _batch(self, at: int) -> pa.RecordBatch:
        reader, k = self._places[at]
        batch = self._readers[reader].get_batch(k)
        if at not in self._sound:
            # Arrow follows offsets as they stand: damaged ones end the process.
            try:
                batch.validate(full=True)
            except pa.ArrowException as error:
                raise _fault(self._names[reader], error) from None
            if any(column.null_count for column in batch.columns):
                raise InputError(
                    f"{self._names[reader]}: holds a row without text; build the corpus again"
                )
            self._sound.add(at)
        return batch


def _fault(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: not a whole Arrow file ({short(error)}); build the corpus again")
