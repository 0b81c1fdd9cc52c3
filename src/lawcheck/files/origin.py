"""The one record beside every artefact: its files' digests and what it was made from.

`<file>.origin` lies beside the artefact's main file and is written after it, so that an artefact
without one was never finished, or is older than these records. Equal artefacts have equal
records: they hold no clock and no versions. No torch.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import digest, file_sha256
from lawcheck.files.reading import read_object

SUFFIX = ".origin"
SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """files: name -> SHA-256 of what dependants rely on, relative to the record's folder.

    beside: further files, which hold clocks and so do not enter `digest`. made_from: label of an
    object -> its digest. holds: what a whole artefact has to hold, such as a digest of its items.
    """

    kind: str
    name: str
    files: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict)
    made_from: Mapping[str, str] = field(default_factory=dict)
    holds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over names and contents: what dependants record."""
        return digest(dict(self.files), 64)

    @property
    def label(self) -> str:
        return label(self.kind, self.name)


class OriginError(InputError):
    """An artefact is not what its record says. state: as `lawcheck verify` prints it."""

    def __init__(self, state: str, what: str, path: Path, found: str, expected: str, step: str):
        super().__init__(f"{what}: {state}, {path}: found {found}, expected {expected}; {step}")
        self.state, self.path, self.found, self.expected = state, path, found, expected


def label(kind: str, name: str) -> str:
    return f"{kind} {name}" if name else kind


def record_path(main: Path) -> Path:
    return main.parent / (main.name + SUFFIX)


def seal(
    main: Path,
    kind: str,
    name: str = "",
    *,
    files: Iterable[str] = (),
    beside: Iterable[str] = (),
    made_from: Mapping[str, str] | None = None,
    holds: Mapping[str, Any] | None = None,
) -> Origin:
    """Write the record of an artefact that lies complete on disk.

    files: of the artefact, relative to the folder of `main`; `main` alone if none is named.
    """
    folder = main.parent
    origin = Origin(
        kind=kind,
        name=name,
        files={n: file_sha256(folder / n) for n in sorted(files) or [main.name]},
        beside={n: file_sha256(folder / n) for n in sorted(beside)},
        made_from=made_from or {},
        holds=holds or {},
    )
    content = dataclasses.asdict(origin)
    write_json(record_path(main), {**content, "seal": digest(content, 64)})
    return origin


def read(main: Path, kind: str, name: str | None, step: str) -> Origin:
    """The record of an artefact, with nothing compared but the record itself.

    name: None takes the record of any object of the kind. step: what to do next, for the
    message. Raises OriginError for a record that is missing, damaged, or of another object.
    """
    from lawcheck.files.records import OriginRecord, fitting  # pydantic, slow to import

    path, what = record_path(main), label(kind, main.name if name is None else name)
    if not path.is_file():
        raise OriginError("unrecorded", what, main, "no origin", f"{path.name} beside it", step)
    try:
        content = read_object(path, step)
        stated = content.pop("seal", None)
        whole = stated == digest(content, 64)
        fitting(content, OriginRecord, path.name, step)
        origin = Origin(**content)
        named = [*origin.files, *origin.beside]
        sums = [*origin.files.values(), *origin.beside.values(), *origin.made_from.values()]
        whole = whole and all(SHA256.match(s) for s in sums)
    except InputError:
        whole, named = False, []
    if not whole:
        raise OriginError("changed", what, path, "a damaged record", "the one written", step)
    outside = [n for n in named if not inside(n)]
    if outside:
        raise OriginError("foreign", what, path, repr(outside[0]), "a file of its folder", step)
    other = (origin.kind, origin.name) != (kind, origin.name if name is None else name)
    if other or (main.is_file() and main.name not in named):
        raise OriginError("foreign", what, path, f"the record of {origin.label}", what, step)
    return origin


def require(
    main: Path,
    kind: str,
    name: str | None,
    step: str,
    made_from: Mapping[str, str] | None = None,
) -> Origin:
    """The record, after every file was compared with it and `made_from` with what is there now.

    made_from: label -> digest; None compares nothing. Raises OriginError.
    """
    origin = read(main, kind, name, step)
    what = origin.label
    for file, expected in {**origin.files, **origin.beside}.items():
        path = main.parent / file
        found = file_sha256(path) if path.is_file() else None
        if found is None:
            raise OriginError("missing", what, path, "no file", f"sha256 {expected[:12]}", step)
        if found != expected:
            raise OriginError(
                "changed", what, path, f"sha256 {found[:12]}", f"sha256 {expected[:12]}", step
            )
    if made_from is not None:
        odd = difference(origin.made_from, made_from)
        if odd:
            raise OriginError("stale", what, main, *odd, step)
    return origin


def difference(recorded: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, str] | None:
    """What a record was made from beside what is there now, in words; None where they agree."""
    for name in sorted({**recorded, **now}):
        was, is_now = recorded.get(name), now.get(name)
        if was != is_now:
            return tuple(f"{name} {v[:12]}" if v else f"no {name}" for v in (was, is_now))  # type: ignore[return-value]
    return None


def forget(main: Path) -> None:
    """Take the record away before its artefact is written anew."""
    record_path(main).unlink(missing_ok=True)


def inside(name: str) -> bool:
    """Whether a recorded name stays in its folder: relative, without parents."""
    path = Path(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
