"""Which revision of each data set is meant: reproduce/sources.lock.yaml, and the staged files.

An entry holds `revision`, the 40 hexadecimal digits of a commit, `sha256` over the files that are
read, or both. Nothing is read that the lock does not pin: a revision that nobody looked up is
never made up, and files that differ from their hash are refused.
"""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lawcheck.corpus.sources.declare import DataSet
from lawcheck.errors import InputError
from lawcheck.files.atomic import atomic_file, write_text
from lawcheck.files.hashing import file_sha256
from lawcheck.files.reading import read_yaml

NAME = "sources.lock.yaml"
COMMAND = "lawcheck corpus --scale paper --lock"
REPOSITORY_FILES = "https://raw.githubusercontent.com/{repository}/{revision}/{path}"
_COMMIT, _DIGEST = re.compile(r"[0-9a-f]{40}\Z"), re.compile(r"[0-9a-f]{64}\Z")
_HEADER = f"""\
# Revisions of the public data sets (docs/paper-corpus.md). `{COMMAND}`
# fills in what is missing. revision: commit of the set on the hub or in its repository.
# sha256: over names and contents of the files that are read.
"""


@dataclass(frozen=True)
class Entry:
    revision: str | None = None
    sha256: str | None = None

    @property
    def identity(self) -> str:
        """What enters a run's id: the content where it is known, else the revision."""
        return self.sha256 or self.revision or "unpinned"


def lock_path() -> Path:
    """The lock of the working directory, else of the source tree; the former where neither is."""
    here = Path.cwd() / "reproduce" / NAME
    tree = Path(__file__).resolve().parents[4] / "reproduce" / NAME
    return tree if tree.is_file() and not here.is_file() else here


def read_lock(path: Path) -> dict[str, Entry]:
    """Entries by data set; none where there is no file. Raises InputError for a faulty one."""
    if not path.is_file():
        return {}
    content = read_yaml(path, "correct it")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: found {type(content).__name__}, expected data sets by name")
    return {str(name): _entry(path, str(name), value) for name, value in content.items()}


def _entry(path: Path, name: str, value: Any) -> Entry:
    known = {"revision": _COMMIT, "sha256": _DIGEST}
    if not isinstance(value, dict) or not value or not set(value) <= set(known):
        raise InputError(
            f"{path.name}, {name}: found {str(value)[:40]!r}, expected revision or sha256; "
            f"correct it, or take the entry out and run: {COMMAND}"
        )
    for key, pattern in known.items():
        if key in value and not (isinstance(value[key], str) and pattern.match(value[key])):
            digits = 40 if key == "revision" else 64
            raise InputError(
                f"{path.name}, {name}: {key} is {str(value[key])[:50]!r}, expected {digits} "
                f"hexadecimal digits (quoted); correct it"
            )
    return Entry(**value)


def write_lock(path: Path, entries: Mapping[str, Entry]) -> None:
    content = {
        name: {k: v for k, v in (("revision", e.revision), ("sha256", e.sha256)) if v}
        for name, e in sorted(entries.items())
        if e.revision or e.sha256
    }
    write_text(path, _HEADER + (yaml.safe_dump(content, sort_keys=True) if content else ""))


def pinned(sets: Iterable[DataSet], lock: Mapping[str, Entry]) -> dict[str, str]:
    """Name -> what pins the data set, without looking at any data. For run ids."""
    return {s.name: entry_of(s, lock).identity for s in sets}


def entry_of(data_set: DataSet, lock: Mapping[str, Entry]) -> Entry:
    """The lock's entry; a set in a Git repository is pinned by its declaration already."""
    entry = lock.get(data_set.name, Entry())
    return Entry(entry.revision or data_set.revision, entry.sha256)


def staged(data_set: DataSet, data: Path) -> list[Path]:
    """The set's files below the data folder, in reading order; empty where they are not there.

    A file may lie in its place in the release or directly in the set's folder.
    """
    folder = data / data_set.name
    for patterns in data_set.files:
        found = [_matches(folder, pattern) for pattern in patterns]
        if all(found):
            return list(dict.fromkeys(path for paths in found for path in paths))
    return []


def _matches(folder: Path, pattern: str) -> list[Path]:
    for tried in dict.fromkeys((pattern, PurePosixPath(pattern).name)):
        found = [p for p in folder.glob(tried) if p.is_file()]
        if found:
            return sorted(found)
    return []


def left_out_file(data_set: DataSet, data: Path) -> Path | None:
    """The file of ids that the set leaves out, if it has one. Raises InputError if not there."""
    if data_set.without is None:
        return None
    found = _matches(data / data_set.name, data_set.without)
    if not found:
        raise InputError(
            f"data set {data_set.name!r}: found no {data_set.without} in its folder, expected the "
            f"ids to leave out; stage it beside the other files"
        )
    return found[0]


def content_sha256(sets: Sequence[DataSet], data: Path) -> str:
    """Over names and contents of all files that these sets of one folder read."""
    paths: set[Path] = set()
    for s in sets:
        paths |= {*staged(s, data), *filter(None, [left_out_file(s, data)])}
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path.name} {file_sha256(path)}\n".encode())
    return total.hexdigest()


def hub_head(hub: str) -> str:
    """The newest commit of a data set on the hub. Raises InputError where it cannot be asked."""
    from huggingface_hub import HfApi

    try:
        revision = HfApi().dataset_info(hub).sha
    except (OSError, ValueError) as error:
        raise _unreachable(hub, error) from None
    if not revision or not _COMMIT.match(revision):
        raise InputError(f"hub data set {hub}: found revision {revision!r}, expected a commit")
    return revision


def fetch(data_set: DataSet, data: Path, revision: str) -> None:
    """Download the set's files at a revision into its folder. Raises InputError."""
    folder = data / data_set.name
    if data_set.hub:
        from huggingface_hub import snapshot_download

        patterns = [p for alternative in data_set.files for p in alternative]
        try:
            snapshot_download(
                data_set.hub,
                repo_type="dataset",
                revision=revision,
                allow_patterns=patterns,
                local_dir=folder,
            )
        except (OSError, ValueError) as error:
            raise _unreachable(data_set.hub, error) from None
    else:
        extra = (data_set.without,) if data_set.without else ()
        for name in (*data_set.files[0], *extra):
            _fetch_file(data_set, name, revision, folder)
    if not staged(data_set, data):
        wanted = " or ".join(", ".join(p[:3]) for p in data_set.files)
        raise InputError(
            f"data set {data_set.name!r}: {data_set.origin} at {revision[:12]} holds none of "
            f"{wanted}; the release has moved, pin another revision"
        )


def _fetch_file(data_set: DataSet, name: str, revision: str, folder: Path) -> None:
    url = REPOSITORY_FILES.format(repository=data_set.repository, revision=revision, path=name)
    try:
        # The address is built from declarations, never from what was read.
        with (
            urllib.request.urlopen(url, timeout=60) as response,  # noqa: S310
            atomic_file(folder / name) as part,
            part.open("wb") as target,
        ):
            while block := response.read(1 << 20):
                target.write(block)
    except (urllib.error.URLError, OSError) as error:
        raise _unreachable(f"{data_set.repository}/{name}", error) from None


def _unreachable(what: str, error: BaseException) -> InputError:
    # Only the kind of fault: a message of the hub client may quote request headers.
    return InputError(
        f"{what}: cannot be fetched ({type(error).__name__}); go where the network reaches it, or "
        f"stage its files under the data folder and run: {COMMAND}"
    )
