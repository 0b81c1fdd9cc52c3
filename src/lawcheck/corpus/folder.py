"""The files of a corpus: one row a line, and a manifest that names every file's digest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lawcheck.corpus.recipe import Row
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.atomic import write_json
from lawcheck.files.reading import parse_json, read_text

REBUILD = "rebuild the corpus"


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """The manifest names every file's digest; its own stands in the record beside it."""
    write_json(folder / "manifest.json", manifest)
    origin.seal(folder / "manifest.json", "corpus")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One object per line, as `read_rows` reads them."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")


def read_rows(path: Path, step: str = "") -> list[Row]:
    """Rows of a JSONL file, split on newline only. Raises InputError with file and line.

    step: what to do about a file that is not one of a corpus.
    """
    again = step or REBUILD
    if not path.is_file():
        what = "file" if step else "corpus file"
        raise InputError(
            f"{what} {path.name}: not in {path.parent.name}/; {step or 'build the corpus'}"
        )
    rows = []
    # A few texts hold U+2028 or form feeds, which splitlines would cut.
    lines = read_text(path, again).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        where = f"{path.name}, line {number}"
        row = parse_json(line, where, again)
        if not isinstance(row, dict):
            raise InputError(f"{where}: found {type(row).__name__}, expected an object; {again}")
        rows.append(row)
    return rows
