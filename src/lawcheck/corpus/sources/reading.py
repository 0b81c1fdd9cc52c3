"""Rows of a data set's files as they come, one at a time, in the layouts of the releases.

Memory holds one row (of JSON lines, CSV), one piece of a JSON list or one batch of Parquet rows,
never a file. Every fault is one line with file and line or row.
"""

from __future__ import annotations

import csv
import fnmatch
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast
from xml.etree import ElementTree

from lawcheck.corpus.real.files import (
    AGAIN,
    Row,
    parse_json,
)
from lawcheck.corpus.real.rows import tidy
from lawcheck.errors import InputError
from lawcheck.files.reading import DECODER, refuse_surrogates, short

# rows: a table or a list of rows. by_id: an object of rows, key kept as `id`. exams: HeadQA's
# nesting. task: one Natural-Instructions task. blocks: an object of parallel lists (GeoBench).
Layout = Literal["rows", "by_id", "exams", "task", "blocks"]
Placed = tuple[str, Row]

LONGEST_LINE = 1 << 26  # bytes; a longer "line" is no JSON lines file
LARGEST_OBJECT = 1 << 28  # bytes of a nested JSON file, which is read whole
PIECE = 1 << 20  # characters of a JSON list read at a time
BATCH = 2048  # Parquet rows decoded at a time


def rows_of(path: Path, layout: Layout = "rows", member: str = "*") -> Iterator[Placed]:
    """(where, row) of every row of a file. member: pattern of file names inside a `.zip`.

    By suffix: .jsonl, .json (a list, JSON lines or a nested object), .csv and .tsv with a header,
    .parquet, .xml (MedQuAD), each also behind .gz, and .zip of them. Raises InputError.
    """
    if path.suffix == ".zip":
        yield from _zip(path, layout, member)
        return
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    name, suffix = path.name, path.suffix
    try:
        if suffix == ".gz":
            suffix = PurePosixPath(name.removesuffix(".gz")).suffix
            with gzip.open(path, "rb") as unpacked:
                yield from _stream(cast(IO[bytes], unpacked), name, suffix, layout)
        else:
            with path.open("rb") as raw:
                yield from _stream(raw, name, suffix, layout)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: cannot be read ({short(error)}); {AGAIN}") from None


def _stream(stream: IO[bytes], name: str, suffix: str, layout: Layout) -> Iterator[Placed]:
    if suffix == ".jsonl":
        return _lines(stream, name)
    if suffix == ".json":
        return _json(stream, name, layout)
    if suffix in (".csv", ".tsv"):
        return _table(stream, name, "," if suffix == ".csv" else "\t")
    if suffix == ".xml":
        return _medquad(stream, name)
    raise InputError(
        f"{name}: found a file of kind {suffix!r}, expected .jsonl, .json, .csv, .tsv, .parquet, "
        f".xml or .zip; convert it"
    )


def _zip(path: Path, layout: Layout, member: str) -> Iterator[Placed]:
    try:
        with zipfile.ZipFile(path) as archive:
            # Folders and the resource forks that macOS adds are no data.
            names = sorted(
                n
                for n in archive.namelist()
                if fnmatch.fnmatch(PurePosixPath(n).name, member)
                and not n.endswith("/")
                and "__MACOSX" not in n
            )
            if not names:
                raise InputError(f"{path.name}: found no member {member!r}; {AGAIN}")
            for name in names:
                with archive.open(name) as stream:
                    label = f"{path.name}:{PurePosixPath(name).name}"
                    yield from _stream(stream, label, PurePosixPath(name).suffix, layout)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{path.name}: not a whole zip file ({short(error)}); {AGAIN}") from None


def _lines(stream: IO[bytes], name: str) -> Iterator[Placed]:
    number, empty = 0, True
    while line := stream.readline(LONGEST_LINE):
        number += 1
        where = f"{name}, line {number}"
        if len(line) == LONGEST_LINE:
            raise InputError(f"{where}: longer than {LONGEST_LINE >> 20} MiB; {AGAIN}")
        if not line.strip():
            raise InputError(f"{where}: found an empty line, expected a JSON object; {AGAIN}")
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{where}: not UTF-8 text; {AGAIN}") from None
        yield where, _object(parse_json(text, where), where)
        empty = False
    if empty:
        raise InputError(f"{name}: found no row, expected one JSON object per line; {AGAIN}")


def _json(stream: IO[bytes], name: str, layout: Layout) -> Iterator[Placed]:
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    try:
        if layout != "rows":
            yield from _nested(text, name, layout)
            return
        start = _after_space(text)
        if start == "[":
            yield from _list(text, name)
        elif start == "{":
            yield from _json_lines(start, text, name)
        else:
            raise InputError(f"{name}: found {start[:1]!r}, expected a JSON list; {AGAIN}")
    except UnicodeDecodeError:
        raise InputError(f"{name}: not UTF-8 text; {AGAIN}") from None


def _json_lines(start: str, text: IO[str], name: str) -> Iterator[Placed]:
    """A `.json` file that holds JSON lines, as MedMCQA's release does."""
    number, line = 1, start + text.readline(LONGEST_LINE)
    while line:
        where = f"{name}, line {number}"
        if line.strip():
            yield where, _object(parse_json(line, where), where)
        number, line = number + 1, text.readline(LONGEST_LINE)


def _after_space(text: IO[str]) -> str:
    while (found := text.read(1)) and found.isspace():
        pass
    return found


def _list(text: IO[str], name: str) -> Iterator[Placed]:
    """Objects of a JSON list whose `[` is already read; only the current piece is in memory."""
    decode = DECODER.raw_decode
    buffer, at, line, first = "", 0, 1, True
    while True:
        buffer, at, line = _skip(buffer, at, line, text)
        if at == len(buffer):
            raise InputError(f"{name}, line {line}: the list does not end; {AGAIN}")
        if buffer[at] == "]":
            return
        if not first:
            if buffer[at] != ",":
                raise InputError(
                    f"{name}, line {line}: found {buffer[at : at + 10]!r}, expected a comma "
                    f"between rows; {AGAIN}"
                )
            buffer, at, line = _skip(buffer, at + 1, line, text)
        first = False
        where = f"{name}, line {line}"
        while True:
            try:
                value, end = decode(buffer, at)
                break
            except (ValueError, RecursionError) as error:
                # Either the piece ends inside the row or the row is faulty: more text tells.
                more = text.read(PIECE)
                if not more or len(buffer) - at > LONGEST_LINE:
                    raise InputError(f"{where}: not valid JSON ({short(error)}); {AGAIN}") from None
                buffer, at = buffer[at:] + more, 0
        try:
            refuse_surrogates(buffer, at, end, value)
        except ValueError as error:
            raise InputError(f"{where}: not valid JSON ({short(error)}); {AGAIN}") from None
        yield where, _object(value, where)
        line += buffer.count("\n", at, end)
        at = end


def _skip(buffer: str, at: int, line: int, text: IO[str]) -> tuple[str, int, int]:
    while True:
        while at < len(buffer) and buffer[at].isspace():
            line += buffer[at] == "\n"
            at += 1
        if at < len(buffer):
            return buffer, at, line
        buffer, at = text.read(PIECE), 0
        if not buffer:
            return buffer, at, line


def _nested(text: IO[str], name: str, layout: Layout) -> Iterator[Placed]:
    content = text.read(LARGEST_OBJECT)
    if len(content) == LARGEST_OBJECT:
        raise InputError(f"{name}: larger than {LARGEST_OBJECT >> 20} MiB; use rows instead")
    # Files taken apart into rows already are read as such, whatever the release nests.
    if layout in ("blocks", "by_id") and content.lstrip().startswith("["):
        yield from _list(io.StringIO(content.lstrip()[1:]), name)
        return
    value = _object(parse_json(content, name), name)
    if layout == "by_id":
        for key, row in value.items():
            where = f"{name}, id {key[:40]!r}"
            yield where, {"id": key, **_object(row, where)}
    elif layout == "exams":
        for key, exam in _object(value.get("exams"), f"{name}, 'exams'").items():
            where = f"{name}, exam {key[:40]!r}"
            for number, row in enumerate(_rows(exam, "data", where), start=1):
                yield f"{where}, question {number}", row
    elif layout == "blocks":
        for key, block in value.items():
            where = f"{name}, block {key[:20]!r}"
            questions, answers = (_listed(block, c, where) for c in ("question", "answer"))
            if len(questions) != len(answers):
                raise InputError(
                    f"{where}: found {len(questions)} questions and {len(answers)} answers, "
                    f"expected as many; {AGAIN}"
                )
            for number, (q, a) in enumerate(zip(questions, answers, strict=True), start=1):
                row = {"category": key, "question": q, "answer": a}
                yield f"{where}, question {number}", row
    else:
        stated = value.get("Definition")
        definition = stated if isinstance(stated, str) else "\n".join(map(str, stated or ()))
        for number, row in enumerate(_rows(value, "Instances", name), start=1):
            yield f"{name}, instance {number}", {**row, "definition": definition}


def _listed(value: object, column: str, where: str) -> list[Any]:
    found = _object(value, where).get(column)
    if not isinstance(found, list):
        raise InputError(f"{where}: {column!r} is {type(found).__name__}, expected a list; {AGAIN}")
    return found


def _rows(value: object, column: str, where: str) -> list[Row]:
    found = _listed(value, column, where)
    return [_object(row, f"{where}, {column!r} {n}") for n, row in enumerate(found, start=1)]


def _table(stream: IO[bytes], name: str, delimiter: str) -> Iterator[Placed]:
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = cells
                continue
            where = f"{name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(
                    f"{where}: found {len(cells)} cells, expected {len(header)} as in the header; "
                    f"{AGAIN}"
                )
            yield where, dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(
            f"{name}, line {reader.line_num + 1}: not valid CSV ({short(error)}); {AGAIN}"
        ) from None
    if header is None:
        raise InputError(f"{name}: found no header line; {AGAIN}")


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name}, row {number}", row
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name}, after row {number}: not readable Parquet ({short(error)}); {AGAIN}"
        ) from None


def _medquad(stream: IO[bytes], name: str) -> Iterator[Placed]:
    """One document: its question-answer pairs, answers as published (some are empty)."""
    try:
        # Expat bounds entity expansion itself and reads no external entity.
        root = ElementTree.fromstring(stream.read(LARGEST_OBJECT))  # noqa: S314
    except ElementTree.ParseError as error:
        raise InputError(f"{name}: not valid XML ({error}); {AGAIN}") from None
    for number, pair in enumerate(root.iter("QAPair"), start=1):
        row = {child.tag.lower(): tidy("".join(child.itertext())) for child in pair}
        yield f"{name}, pair {number}", row


def _object(value: object, where: str) -> Row:
    if not isinstance(value, dict):
        raise InputError(f"{where}: found {type(value).__name__}, expected an object; {AGAIN}")
    return value
