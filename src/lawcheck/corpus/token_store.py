"""Token ids of a streamed corpus, kept once beside its rows: any run of any mixture reads them.

`<results>/tokens/<key>/`: `tokens.bin` (int32, rows end to end, whole), `sizes.npy` and
`answers.npy` (one number a row), `store.json` with the SHA-256 of each. Rows stand as in the
corpus, discipline after discipline. The key is a digest of tokenizer, template and corpus files, so
that nothing can be read for something else. It is a cache: one that is missing or damaged is made
again, by one process while the others wait, and moved into place whole.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lawcheck.corpus.encoding import (
    Encoded,
    Encoder,
    Numbers,
    TokenFile,
    check_samples,
    chunks,
    within_limit,
)
from lawcheck.corpus.shards import Shards
from lawcheck.files.atomic import atomic_folder, write_json
from lawcheck.files.hashing import digest, file_sha256
from lawcheck.files.holding import held

VERSION = 1  # of what is kept, not of any result
FILES = ("tokens.bin", "sizes.npy", "answers.npy")
MOST_WORKERS = 8  # of some 300 MB each
WAIT_SECONDS = 6 * 3600.0  # many times what one machine takes for the paper's corpus


class TokenStore:
    """Opens the store of these files, in this order, or makes it.

    folder: of all stores. corpus: file -> its SHA-256. paths: the same files. workers: processes
    that encode (None: one per core, eight at most). Raises InputError as `encoding.encode` does,
    for a file that is no whole Arrow file, and where another process makes it without end.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: Any,
        paths: Sequence[Path],
        corpus: Mapping[str, str],
        workers: int | None = None,
    ) -> None:
        key = store_key(tokenizer, [(p.name, corpus[p.name]) for p in paths])
        self.path = folder / key
        with held(folder / f".{key}.lock", "tokens of the corpus", WAIT_SECONDS):
            if not is_whole(self.path):
                _build(self.path, tokenizer, paths, workers or min(_cores(), MOST_WORKERS))
        self._sizes: Numbers = np.load(self.path / "sizes.npy")
        self._answers: Numbers = np.load(self.path / "answers.npy")
        self._starts = np.cumsum(self._sizes) - self._sizes

    def encoded(self, rows: Iterable[tuple[str, int]], max_length: int) -> Encoded:
        """As `encoding.encode` gives it. rows: id and place of each. Raises InputError likewise."""
        ids: list[str] = []

        def places() -> Iterator[int]:
            for name, place in rows:
                ids.append(name)
                yield place

        at = np.fromiter(places(), np.int64)
        sizes, answers = self._sizes[at], self._answers[at]
        kept, within = within_limit(sizes, answers, max_length)
        ids = [name for name, k in zip(ids, kept.tolist(), strict=True) if k]
        check_samples(ids, max_length)
        return Encoded(
            ids=ids,
            tokens=TokenFile(self.path / "tokens.bin"),
            starts=self._starts[at[kept]],
            lengths=within[kept],
            answers=answers[kept].astype(np.int32),
            cut=int((sizes > max_length).sum()),
            lost=int((~kept).sum()),
        )


def store_key(tokenizer: Any, files: Sequence[tuple[str, str]]) -> str:
    """Digest of everything that the tokens follow from."""
    return digest(
        {
            "version": VERSION,
            "tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()),
            "template": tokenizer.chat_template,
            "special": {k: str(v) for k, v in sorted(tokenizer.special_tokens_map.items())},
            "files": [list(f) for f in files],
        }
    )


def is_whole(path: Path) -> bool:
    """Whether every file of a store has the content that it was written with."""
    try:
        expected = json.loads((path / "store.json").read_text(encoding="utf-8"))
        return all(file_sha256(path / name) == expected[name] for name in FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _build(target: Path, tokenizer: Any, paths: Sequence[Path], workers: int) -> None:
    sizes, answers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with (
        atomic_folder(target) as folder,
        tempfile.TemporaryDirectory(dir=folder) as name,
        (folder / "tokens.bin").open("wb") as stream,
    ):
        for part in _encoded(tokenizer, paths, Path(name), workers):
            np.load(part["tokens"], mmap_mode="r").tofile(stream)
            part["tokens"].unlink()
            sizes.append(part["sizes"])
            answers.append(part["answers"])
        stream.flush()
        np.save(folder / "sizes.npy", np.concatenate(sizes))
        np.save(folder / "answers.npy", np.concatenate(answers))
        write_json(folder / "store.json", {name: file_sha256(folder / name) for name in FILES})


def _encoded(
    tokenizer: Any, paths: Sequence[Path], folder: Path, workers: int
) -> Iterator[dict[str, Any]]:
    """Each file's tokens, in order."""
    tasks = [(path, folder / f"{k}.npy") for k, path in enumerate(paths)]
    if workers == 1 or len(tasks) == 1:
        encoder = Encoder(tokenizer)
        yield from (_encode_file(encoder, *task) for task in tasks)
        return
    with ProcessPoolExecutor(
        min(workers, len(tasks)),
        # Threads of torch do not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(tokenizer,),
    ) as pool:
        yield from pool.map(_encode_here, tasks)


_ENCODER: list[Encoder] = []


def _begin(tokenizer: Any) -> None:
    # Millions of rows, none in a cycle: a tenth of the time went into looking for some.
    gc.set_threshold(100_000, 50, 50)
    _ENCODER[:] = [Encoder(tokenizer)]


def _encode_here(task: tuple[Path, Path]) -> dict[str, Any]:
    return _encode_file(_ENCODER[0], *task)


def _encode_file(encoder: Encoder, path: Path, target: Path) -> dict[str, Any]:
    found = [encoder(rows) for rows in chunks(Shards([path]))]
    none = np.zeros(0, np.int64)
    np.save(target, np.concatenate([none.astype(np.int32), *(f.tokens for f in found)]))
    return {
        "tokens": target,
        "sizes": np.concatenate([none, *(f.sizes for f in found)]),
        "answers": np.concatenate([none, *(f.answers for f in found)]),
    }
