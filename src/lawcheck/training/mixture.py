"""The rows of a run on a streamed corpus, read as tokens that all runs share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from lawcheck.corpus.build import training_rows
from lawcheck.corpus.encoding import Encoded, Sample, encode
from lawcheck.corpus.placed import placed
from lawcheck.corpus.preferences import preference_pairs
from lawcheck.corpus.shards import shard_files
from lawcheck.corpus.token_store import TokenStore
from lawcheck.declare.design import Run
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import pinned_sources
from lawcheck.errors import InputError

Rows = Iterable[dict[str, Any]]


@dataclass(frozen=True)
class StoredMixture:
    """corpus: its folder. files: SHA-256 of each of its files. tokens: folder of all stores."""

    run: Run
    scale: Scale
    corpus: Path
    files: dict[str, str]
    tokens: Path

    def encoded(self, tokenizer: Any, max_length: int) -> Encoded:
        """As `encode` gives it. Raises InputError likewise."""
        recipe = self.run.arm.recipe
        assert recipe is not None
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            rows = training_rows(self.run, self.scale, self.corpus)
            return encode(tokenizer, rows, max_length)
        # With the general pools, so that all runs share one store.
        found = placed(self.scale, self.corpus, True)
        paths = [path for name in found.sizes for path in shard_files(self.corpus, name)]
        store = TokenStore(self.tokens, tokenizer, paths, self.files)
        return store.encoded(found.named(recipe, self.run.part), max_length)


def rows_of(
    run: Run, scale: Scale, corpus: Path, manifest: dict[str, Any], tokens: Path
) -> Rows | StoredMixture:
    """The training rows of a run; of a corpus that is streamed from disk, their tokens' store."""
    if pinned_sources(scale) is None:
        return training_rows(run, scale, corpus)
    files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    return StoredMixture(run, scale, corpus, files, tokens)


def encoded(
    rows: Rows | StoredMixture,
    tokenizer: Any,
    max_length: int,
    known: dict[tuple[str, str], Sample] | None,
    objective: ModuleType,
) -> Encoded:
    """Tokenized samples of an objective, from a store or from the rows themselves.

    The store holds conversations; for other objectives than `response` its rows are read again.
    known: as of `encode`.
    """
    if isinstance(rows, StoredMixture):
        if objective.OBJECTIVE.name == "response":
            return rows.encoded(tokenizer, max_length)
        rows = training_rows(rows.run, rows.scale, rows.corpus)
    if not objective.OBJECTIVE.pairs:
        return objective.encode(tokenizer, rows, max_length, known)
    pairs, unpaired = preference_pairs(rows)
    if unpaired and not pairs:
        raise InputError(
            f"training rows: none of {unpaired} rows has a possible rejected response; give rows "
            f"chosen and rejected, or different answers"
        )
    found = objective.encode(tokenizer, pairs, max_length, known)
    return dataclasses.replace(found, unpaired=unpaired)
