"""Numbers that are already in print, as package data of their study: one CSV file a table.

Every file holds `paper` (its study) and `source` (table and row as printed) beside its own columns.
Cells keep their printed digits, because the audit needs to know how a number was rounded.
SHA256SUMS beside them holds the sums of all, as `sha256sum *.csv` prints them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law
from lawcheck.errors import InputError, look_up

SUMS = "SHA256SUMS"
STEP = f"reinstall the package; after a knowing change record it in {SUMS}"


@dataclass(frozen=True)
class _File:
    path: Path
    sha256: str


class Rows(Protocol):
    """The module `published` of a study: which printed row is an arm's.

    TABLES: printed tables of arms' scores -> what the paper calls them, the best first.
    published_value: a table's cell of an arm in a column (a discipline, `average`, ...), or None.
    gpu_hours: of an arm, as printed, or None.
    """

    TABLES: dict[str, str]

    def published_value(self, table: str, arm: Arm, column: str) -> float | None: ...
    def gpu_hours(self, arm: Arm) -> float | None: ...


def rows_of(law: Law) -> Rows | None:
    """What is in print about the arms of a law; None where its study prints nothing of the kind."""
    module = discovery.study_part(discovery.study_of(law.name), "published")
    lost = [n for n in ("TABLES", "published_value", "gpu_hours") if not hasattr(module, n)]
    if module is None or not lost:
        return cast(Rows | None, module)
    raise InputError(f"{module.__file__}: no {lost[0]}, expected one; add it (docs/adding.md)")


def table_names() -> list[str]:
    """Every printed table of every study, sorted. Raises InputError for a damaged package."""
    return sorted(_files())


def _files() -> dict[str, _File]:
    found: dict[str, _File] = {}
    for study in discovery.studies().values():
        if not study.published:
            continue
        module = discovery.study_module(study.name)
        for name, file in _recorded(Path(str(module.__file__)).parent / study.published).items():
            if name in found:
                raise InputError(
                    f"published table {name!r}: found in {found[name].path.parent} and "
                    f"{file.path.parent}, expected one; rename one"
                )
            found[name] = file
    return found


def _recorded(folder: Path) -> dict[str, _File]:
    """The tables of one folder, which are those that SUMS names."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"published tables: {SUMS} cannot be read ({error}); {STEP}") from None
    found: dict[str, _File] = {}
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]{64})  ([a-z0-9_-]+)\.csv", line)
        if match is None or match.group(2) in found:
            raise InputError(
                f"published tables: {SUMS} holds {line[:40]!r}, expected a sum and a table; {STEP}"
            )
        found[match.group(2)] = _File(folder / f"{match.group(2)}.csv", match.group(1))
    odd = sorted(found.keys() ^ {p.stem for p in folder.glob("*.csv")})
    if odd:
        there = "without its file" if odd[0] in found else f"not in {SUMS}"
        raise InputError(f"published table {odd[0]!r}: found {there}; {STEP}")
    return found


@functools.cache
def _printed(name: str) -> pd.DataFrame:
    file = look_up(name, _files(), f"published table {name!r}: unknown")
    try:
        raw = file.path.read_bytes()
    except OSError as error:
        raise InputError(f"published table {name!r}: cannot be read ({error}); {STEP}") from None
    found = hashlib.sha256(raw).hexdigest()
    # Every number that the checks read stands in these files: none is taken from a damaged one.
    if found != file.sha256:
        raise InputError(
            f"published table {name!r}: found sha256 {found[:12]}, expected {file.sha256[:12]}; "
            f"{STEP}"
        )
    return pd.read_csv(io.BytesIO(raw), dtype=str, keep_default_na=False)


@functools.cache
def lines(name: str) -> list[dict[str, str]]:
    """The rows of a printed table, cells as text; tables ask for hundreds of them."""
    return [{str(k): str(v) for k, v in line.items()} for line in _printed(name).to_dict("records")]


def printed(name: str) -> pd.DataFrame:
    """One table with every cell as it is printed; an empty cell is the empty string."""
    return _printed(name).copy()
