"""The rows of a run, tokenized: from the corpus, or from the tokens that all runs share."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus import moving
from lawcheck.corpus.build import training_parts, training_rows
from lawcheck.corpus.encoding import Encoded, Sample, encode
from lawcheck.corpus.placed import PLACE, Placed, placed
from lawcheck.corpus.preferences import preference_pairs
from lawcheck.corpus.recipe import Row, one_pool
from lawcheck.corpus.shards import shard_files
from lawcheck.corpus.token_store import TokenStore
from lawcheck.declare.design import Run
from lawcheck.declare.mixing import Reference
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import pinned_sources
from lawcheck.errors import InputError

Rows = Iterable[dict[str, Any]]
Known = dict[tuple[str, str], Sample]


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
        found = self.placed()
        return self.store(tokenizer, found).encoded(found.named(recipe, self.run.part), max_length)

    def placed(self) -> Placed:
        # With the general pools, so that all runs share one store.
        return placed(self.scale, self.corpus, True)

    def store(self, tokenizer: Any, found: Placed) -> TokenStore:
        paths = [path for name in found.sizes for path in shard_files(self.corpus, name)]
        return TokenStore(self.tokens, tokenizer, paths, self.files)


@dataclass(frozen=True)
class DomainRows:
    """All rows of the domains of a mixture whose shares may move.

    rows: per domain, each in the order of their hashed ids. weights: of the first phase, per
    domain that is learned; the losses of the others are measured, too. stored: where the tokens of
    a streamed corpus are kept; its rows are ids and places. reference: for rules that read one.
    """

    rows: Mapping[str, Sequence[Row]]
    weights: Mapping[str, float]
    stored: StoredMixture | None = None
    reference: Reference | None = None


@dataclass(frozen=True)
class Domains:
    """Tokenized rows of domains. learned, measured: per domain, places of its rows in `encoded`, in
    the order of their hashed ids; measured rows are held out.
    """

    encoded: Encoded
    learned: Mapping[str, NDArray[np.int64]]
    measured: Mapping[str, NDArray[np.int64]]


def rows_of(
    run: Run,
    scale: Scale,
    corpus: Path,
    manifest: dict[str, Any],
    tokens: Path,
    detected: Mapping[str, float] | None = None,
    reference: Reference | None = None,
) -> Rows | StoredMixture | DomainRows:
    """The training rows of a run; of a corpus that is streamed from disk, their tokens' store.

    detected: shares of the domains in a base model, for mixtures that start from them. reference:
    for rules that read one. Raises InputError for a mixture that they, or the corpus, do not serve.
    """
    stored = _stored(run, scale, corpus, manifest, tokens)
    recipe = run.arm.recipe
    assert recipe is not None
    if recipe.mixture is None:
        return stored or training_rows(run, scale, corpus)
    found = _domains(scale, corpus, stored)
    domains = moving.domains_of(recipe, tuple(found))
    weights = moving.start_weights(recipe.mixture, domains, run.arm.base, detected)
    return DomainRows({name: found[name] for name in domains}, weights, stored, reference)


def rows_alone(
    run: Run, scale: Scale, corpus: Path, manifest: dict[str, Any], tokens: Path, domain: str
) -> DomainRows:
    """Rows of one domain to learn, and of all domains to measure."""
    stored = _stored(run, scale, corpus, manifest, tokens)
    return DomainRows(_domains(scale, corpus, stored), {domain: 1.0}, stored)


def domain_rows(scale: Scale, corpus: Path) -> dict[str, Sequence[Row]]:
    """Rows of every domain of a corpus on disk, each in the order of their hashed ids."""
    rows, pools = training_parts(scale, corpus, True)
    found = {**rows, moving.GENERAL: one_pool(tuple(pools.values()))}
    return {name: own for name, own in found.items() if len(own)}


def _domains(
    scale: Scale, corpus: Path, stored: StoredMixture | None
) -> Mapping[str, Sequence[Row]]:
    if stored is None:
        return domain_rows(scale, corpus)
    return {name: own for name, own in stored.placed().domains().items() if len(own)}


def _stored(
    run: Run, scale: Scale, corpus: Path, manifest: dict[str, Any], tokens: Path
) -> StoredMixture | None:
    if pinned_sources(scale) is None:
        return None
    files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    return StoredMixture(run, scale, corpus, files, tokens)


def encoded(
    rows: Rows | StoredMixture,
    tokenizer: Any,
    max_length: int,
    known: Known | None,
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
        found: Encoded = objective.encode(tokenizer, rows, max_length, known)
        return found
    pairs, unpaired = preference_pairs(rows)
    if unpaired and not pairs:
        raise InputError(
            f"training rows: none of {unpaired} rows has a possible rejected response; give rows "
            f"chosen and rejected, or different answers"
        )
    found = objective.encode(tokenizer, pairs, max_length, known)
    return dataclasses.replace(found, unpaired=unpaired)


def encoded_domains(
    rows: DomainRows, tokenizer: Any, max_length: int, known: Known | None
) -> Domains:
    """As `encoded`, of all rows of all domains. Raises InputError likewise."""
    given: list[str] = []
    ends: list[int] = []

    def named() -> Iterator[Row]:
        for own in rows.rows.values():
            for row in own:
                given.append(row["id"])
                yield row
            ends.append(len(given))

    if rows.stored is None:
        found = encode(tokenizer, named(), max_length, known)
    elif getattr(tokenizer, "backend_tokenizer", None) is None:
        raise InputError(
            f"run {rows.stored.run.id!r}: a mixture on a streamed corpus with a tokenizer that has "
            f"no fast form, expected one; take a base model that has it"
        )
    else:
        store = rows.stored.store(tokenizer, rows.stored.placed())
        found = store.encoded(((row["id"], row[PLACE]) for row in named()), max_length)
    # Rows whose response lies beyond the limit are left out; the others keep their order.
    kept = iter(found.ids)
    waiting = next(kept, None)
    counts = []
    for begin, end in itertools.pairwise([0, *ends]):
        count = 0
        for name in itertools.islice(given, begin, end):
            if name == waiting:
                count, waiting = count + 1, next(kept, None)
        counts.append(count)
    bounds = itertools.pairwise(itertools.accumulate(counts, initial=0))
    places = dict(zip(rows.rows, (np.arange(*b) for b in bounds), strict=True))
    held = {name: moving.held_out(len(own)) for name, own in places.items()}
    return Domains(
        encoded=found,
        learned={name: places[name][: len(places[name]) - held[name]] for name in rows.weights},
        measured={name: own[len(own) - held[name] :] for name, own in places.items()},
    )
