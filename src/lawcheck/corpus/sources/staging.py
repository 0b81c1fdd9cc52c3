"""From declarations to files that may be read: staged, pinned, and equal to what was pinned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lawcheck.corpus.real.files import Row, read_json, require
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.locking import (
    COMMAND,
    NAME,
    Entry,
    content_sha256,
    entry_of,
    fetch,
    hub_head,
    left_out_file,
    lock_path,
    read_lock,
    staged,
    write_lock,
)
from lawcheck.corpus.sources.reading import rows_of
from lawcheck.errors import InputError


def by_folder(sets: Iterable[DataSet]) -> dict[str, list[DataSet]]:
    """Training and evaluation parts of one release share its folder and its lock entry."""
    found: dict[str, list[DataSet]] = {}
    for s in sets:
        found.setdefault(s.name, []).append(s)
    return found


def require_pinned(sets: Iterable[DataSet], data: Path) -> dict[str, Entry]:
    """Fetch what is pinned but not staged, and compare hashes. Returns what was found, by folder.

    revision as pinned, sha256 of the files as they lie. Nothing is parsed yet, so that a missing
    set costs seconds and not the time to read the others. Raises InputError.
    """
    lock = read_lock(lock_path())
    folders = by_folder(sets)
    missing = [
        name
        for name, parts in folders.items()
        if not entry_of(parts[0], lock).revision and not all(staged(p, data) for p in parts)
    ]
    if missing:
        raise InputError(
            f"data set {missing[0]!r}: not in {str(data)!r} and no revision in {NAME} "
            f"({len(missing)} such: {', '.join(missing)}); run: {COMMAND} where the hub can be "
            f"reached, or stage the files (docs/paper-corpus.md)"
        )
    unpinned = [n for n, parts in folders.items() if entry_of(parts[0], lock) == Entry()]
    if unpinned:
        raise InputError(
            f"data set {unpinned[0]!r}: staged, but {NAME} pins neither revision nor sha256 "
            f"({len(unpinned)} such); run: {COMMAND}"
        )
    found = {}
    for name, parts in folders.items():
        entry = entry_of(parts[0], lock)
        _stage(parts, data, entry.revision)
        content = content_sha256(parts, data)
        if entry.sha256 and content != entry.sha256:
            raise InputError(
                f"data set {name!r}: the staged files hash to {content[:12]}, {NAME} says "
                f"{entry.sha256[:12]}; restore the files, or take the entry out and run: {COMMAND}"
            )
        found[name] = Entry(entry.revision, content)
    return found


def write_pins(sets: Iterable[DataSet], data: Path, say: Callable[[str], None]) -> Path:
    """`--lock`: look up revisions, fetch what is not staged, and write the lock file.

    Entries that are complete stay as they are. What could be pinned is written even if another
    set could not; then raises InputError.
    """
    path = lock_path()
    entries = read_lock(path)
    faults = []
    for name, parts in by_folder(sets).items():
        entry = entry_of(parts[0], entries)
        if entry.revision and entry.sha256:
            continue
        try:
            revision = entry.revision
            if not all(staged(p, data) for p in parts):
                revision = revision or hub_head(str(parts[0].hub))
                _stage(parts, data, revision)
            entries[name] = Entry(revision, content_sha256(parts, data))
        except InputError as error:
            faults.append(str(error))
            continue
        write_lock(path, entries)
        say(f"{name}: {revision or 'staged by hand'}, content {entries[name].sha256}")
    if faults:
        raise InputError(f"{faults[0]} ({len(faults)} data sets could not be pinned)")
    return path


def _stage(parts: list[DataSet], data: Path, revision: str | None) -> None:
    for part in parts:
        if not staged(part, data):
            assert revision is not None
            fetch(part, data, revision)


def placed(data_set: DataSet, data: Path) -> Iterator[tuple[str, str, Row]]:
    """(id, where, row) of every row that the set has, ids numbered over its files in order.

    Raises InputError where the files are not staged.
    """
    paths = staged(data_set, data)
    if not paths:
        raise InputError(
            f"data set {data_set.name!r}: found none of its files in {str(data)!r}; stage them "
            f"(docs/paper-corpus.md)"
        )
    left_out = _ids(left_out_file(data_set, data))
    number = 0
    for path in paths:
        for where, row in rows_of(path, data_set.layout, data_set.member):
            number += 1
            if left_out and str(row.get("id", row.get("pubid"))) in left_out:
                continue
            yield f"{data_set.name}.{number}", f"{data_set.name}: {where}", row


def _ids(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    return frozenset(require(read_json(path), {}, path.name))
