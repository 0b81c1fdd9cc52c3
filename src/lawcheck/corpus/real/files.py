"""Files of the data folder as typed rows; every fault is one line with file and line number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files import reading

Row = dict[str, Any]
Columns = Mapping[str, type | tuple[type, ...]]

VARIABLE = "LAWCHECK_DATA"
AGAIN = "restore the file from its source"


def data_file(data: Path, name: str) -> Path:
    """The file `name` of the data folder. Raises InputError when folder or file is missing."""
    if not data.is_dir():
        raise InputError(
            f"data folder: found no folder {str(data)!r}, expected the one that holds {name}; "
            f"set {VARIABLE} to it"
        )
    path = data / name
    if not path.is_file():
        raise InputError(
            f"data folder: found no file {name} in {str(data)!r}; add it, or set {VARIABLE} to "
            f"the folder that holds it"
        )
    return path


def files_of(*names: str) -> Callable[[Path], list[Path]]:
    """`source_files` of a discipline's module: the data folder -> every file that it reads."""
    return lambda data: [data_file(data, name) for name in names]


def read_text(path: Path) -> str:
    """UTF-8 text without byte-order mark; `.gz` is unpacked. Raises InputError."""
    return reading.read_text(path, AGAIN)


def parse_json(text: str, where: str) -> Any:
    """Strict JSON (lawcheck.files.reading). Raises InputError that begins with `where`."""
    return reading.parse_json(text, where, AGAIN)


def read_json(path: Path) -> Any:
    return parse_json(read_text(path), path.name)


def read_jsonl(path: Path, columns: Columns) -> list[Row]:
    """One object per line, or one list of them, in file order, with these columns and types.

    Lines end in LF or CRLF only: strings may hold U+2028, U+0085 or form feeds. Raises
    InputError with file and line for an empty or malformed line, and for a file without rows.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        rows = [
            require(row, columns, f"{path.name}, item {number}")
            for number, row in enumerate(parse_json(text, path.name), start=1)
        ]
        if not rows:
            raise InputError(f"{path.name}: found an empty list, expected rows; {AGAIN}")
        return rows
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise InputError(f"{path.name}: found no row, expected one JSON object per line; {AGAIN}")
    rows = []
    for number, line in enumerate(lines, start=1):
        where = f"{path.name}, line {number}"
        if not line.strip():
            raise InputError(f"{where}: found an empty line, expected a JSON object; {AGAIN}")
        rows.append(require(parse_json(line.removesuffix("\r"), where), columns, where))
    return rows


def require(value: Any, columns: Columns, where: str) -> Row:
    """`value`, once it is an object with these columns and types. Raises InputError."""
    if not isinstance(value, dict):
        raise InputError(
            f"{where}: found {type(value).__name__}, expected an object with "
            f"{', '.join(columns)}; {AGAIN}"
        )
    for name, kind in columns.items():
        if name not in value:
            found = ", ".join(sorted(map(repr, value))[:8]) or "none"
            raise InputError(f"{where}: column {name!r} is missing, found {found}; {AGAIN}")
        cell = value[name]
        # bool is an int in Python, but never an answer index.
        if not isinstance(cell, kind) or isinstance(cell, bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            raise InputError(
                f"{where}: column {name!r} is {type(cell).__name__}, expected "
                f"{' or '.join(k.__name__ for k in kinds)}; {AGAIN}"
            )
    return value


def whole_number(cell: str | int, low: int, high: int, what: str) -> int:
    """An index between low and high. Raises InputError that begins with `what`."""
    text = str(cell).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6 and low <= int(text) <= high):
        raise InputError(f"{what}: found {text[:20]!r}, expected {low} to {high}; {AGAIN}")
    return int(text)
