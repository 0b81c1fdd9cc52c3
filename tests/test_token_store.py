"""Tokens kept beside a corpus: equal to those encoded anew, whatever happens to the files."""

import json
import multiprocessing
import os

import numpy as np
import pytest

from lawcheck.corpus import token_store
from lawcheck.corpus.encoding import encode
from lawcheck.corpus.shards import COLUMNS, Shards, ShardWriter, shard_files
from lawcheck.corpus.token_store import TokenStore
from lawcheck.errors import InputError
from lawcheck.files.hashing import file_sha256
from lawcheck.training.base.tokenizer import train_bpe


def same_samples(found, expected):
    assert list(found.ids) == list(expected.ids)
    assert (found.cut, found.lost) == (expected.cut, expected.lost)
    for name in ("lengths", "answers"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    for k in range(len(found.ids)):
        assert np.array_equal(found.sample(k), expected.sample(k))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two files of rows, and a tokenizer."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    words = np.array(["cell", "wall", "of", "the", "plant", "x1", "grows\n", "in spring."])
    for at, name in enumerate(("biology", "math")):
        with ShardWriter(folder, name, 10, None) as writer:
            for k in range(60 + at):
                row = dict.fromkeys(COLUMNS, "") | {"id": f"{name}{k}", "discipline": name}
                row["prompt"] = " ".join(rng.choice(words, rng.integers(1, 9)))
                row["response"] = " ".join(rng.choice(words, rng.integers(1, 20)))
                writer.add(tuple(row[c] for c in COLUMNS))
            writer.finish()
    paths = [p for name in ("biology", "math") for p in shard_files(folder, name)]
    tokenizer = train_bpe([" ".join(words)] * 3, 300)
    return paths, {p.name: file_sha256(p) for p in paths}, tokenizer


def store(corpus, folder, workers=1):
    paths, files, tokenizer = corpus
    return TokenStore(folder, tokenizer, paths, files, workers)


def plainly(corpus, chosen, length):
    paths, _, tokenizer = corpus
    rows = list(Shards(paths))
    return encode(tokenizer, (rows[k] | {"id": name} for name, k in chosen), length)


CHOSEN = [*((f"r{k}", k) for k in range(100, 20, -3)), ("r100#1", 100), ("r40#1", 40)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_gives_the_samples_of_its_rows(corpus, tmp_path, workers):
    found = store(corpus, tmp_path, workers)
    for length in (200, 16):
        same_samples(found.encoded(CHOSEN, length), plainly(corpus, CHOSEN, length))
    with pytest.raises(InputError, match="stands twice"):
        found.encoded([("a", 1), ("a", 2)], 200)
    with pytest.raises(InputError, match="found none"):
        found.encoded(CHOSEN, 1)
    assert {p.name for p in found.path.iterdir()} == {*token_store.FILES, "store.json"}


def test_it_is_made_once_and_made_anew_where_it_is_damaged(corpus, tmp_path, monkeypatch):
    first = store(corpus, tmp_path)
    made = []
    build = token_store._build
    monkeypatch.setattr(token_store, "_build", lambda *a: made.append(a[0]) or build(*a))
    store(corpus, tmp_path)
    assert not made
    for name in (*token_store.FILES, "store.json"):
        path = first.path / name
        whole = path.read_bytes()
        for damaged in (whole[:-3], bytes([whole[0] ^ 1]) + whole[1:], None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            again = store(corpus, tmp_path)
            assert made.pop() == first.path
            assert path.read_bytes() == whole
            same_samples(again.encoded(CHOSEN, 200), plainly(corpus, CHOSEN, 200))


def test_another_tokenizer_template_or_corpus_is_another_store(corpus, tmp_path):
    _, files, tokenizer = corpus
    named = sorted(files.items())
    other = train_bpe(["cell wall of the plant"] * 3, 290)
    worded = train_bpe([" ".join(["cell"])] * 3, 300)
    worded.chat_template = worded.chat_template + "!"
    keys = {
        token_store.store_key(t, f)
        for t in (tokenizer, other, worded)
        for f in (named, named[::-1], [(named[0][0], "0" * 64), named[1]])
    }
    assert len(keys) == 9


def test_a_failed_build_leaves_nothing_behind(corpus, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(token_store.np, "save", fail)
        with pytest.raises(OSError, match="no space"):
            store(corpus, tmp_path)
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == []
    same_samples(store(corpus, tmp_path).encoded(CHOSEN, 200), plainly(corpus, CHOSEN, 200))


def _open(corpus, folder, queue):
    made = []
    build = token_store._build
    token_store._build = lambda *a: made.append(os.getpid()) or build(*a)
    found = store(corpus, folder).encoded(CHOSEN, 200)
    queue.put((made, json.dumps(found.lengths.tolist())))


def test_of_two_processes_one_makes_it_and_both_read_it(corpus, tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_open, args=(corpus, tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(len(made) for made, _ in found) == 1
    assert len({lengths for _, lengths in found}) == 1
