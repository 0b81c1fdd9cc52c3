"""What a scale's corpus and its mixtures hold: the numbers of Table 1, and n-gram diversity.

n-gram diversity of a mixture = distinct word n-grams / all word n-grams, over prompt and response
of every training row, duplicates included; n-grams never cross samples. All n-grams are a sum
over rows, each row counted as often as it occurs. Distinct n-grams are a union: they depend on
which rows occur, not on how often, so that a duplicate lowers the share and never raises it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lawcheck.corpus.build import check_corpus, require_manifest
from lawcheck.corpus.holders import Holders, blocks, merge, rows_with
from lawcheck.corpus.ngrams import Distinct, Flags, Numbers, ngram_hashes
from lawcheck.corpus.placed import Placed, placed
from lawcheck.corpus.recipe import Row
from lawcheck.declare import discovery, versions
from lawcheck.declare.design import Law, Recipe
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import realisable
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import file_sha256
from lawcheck.files.reading import read_object
from lawcheck.files.records import Statistics, fitting

# Fixed before any law was judged on it; another n is another measure.
N = 4
FIELDS = ("prompt", "response")
NEXT = "run: lawcheck mixtures --scale {scale}"


def recipes_of(laws: Iterable[Law]) -> dict[str, Recipe]:
    """Label -> recipe of every mixture that a law trains on; single disciplines are none.

    Mixtures whose shares may move are left out: their rows are known once they are trained. So are
    those with shuffled words, which are no rows of the corpus.
    Raises InputError where two recipes share a label.
    """
    found: dict[str, Recipe] = {}
    for law in laws:
        for arm in law.arms:
            recipe = arm.fixed_mixture if discovery.trains_rows(arm) else None
            if recipe is not None and found.setdefault(recipe.label, recipe) != recipe:
                raise InputError(
                    f"law {law.name!r}: two recipes are called {recipe.label!r}; give upsampling "
                    f"targets in whole thousands"
                )
    return found


def write_mixtures(scale: Scale, laws: Mapping[str, Law], layout: Layout) -> dict[str, Any]:
    """Statistics of the corpus on disk and of every mixture of the laws that the scale can run.

    Writes and returns the content of `layout.mixtures`. Raises InputError for a corpus that is
    missing or damaged.
    """
    check_corpus(layout.corpus, scale)
    recipes = recipes_of(realisable(scale, laws).values())
    general = any(r.general_share for r in recipes.values())
    content = {
        "scale": scale.name,
        "origin": _origin(scale, layout),
        **statistics(placed(scale, layout.corpus, general), recipes, layout.root),
    }
    write_json(layout.mixtures, content)
    manifest = origin.read(layout.manifest, "corpus", "", NEXT.format(scale=scale.name))
    origin.seal(layout.mixtures, "mixtures", made_from={"corpus": manifest.digest})
    return content


def read_mixtures(scale: Scale, layout: Layout) -> dict[str, Any]:
    """What `write_mixtures` wrote for the corpus and the settings of now.

    Raises InputError for a file that is missing, unreadable or made from something else.
    """
    step = NEXT.format(scale=scale.name)
    path = layout.mixtures
    if not path.is_file():
        raise InputError(f"mixtures of scale {scale.name!r}: no {path.name} yet; {step}")
    content = read_object(path, step)
    made_from = content.get("origin")
    if not isinstance(made_from, dict):
        raise InputError(f"{path.name}: not a file of mixture statistics; {step}")
    for name, expected in _origin(scale, layout).items():
        if made_from.get(name) != expected:
            raise InputError(
                f"{path.name}: made from another corpus ({name} {_short(made_from.get(name))}, "
                f"expected {_short(expected)}); {step}"
            )
    origin.require(path, "mixtures", "", step)
    return fitting(content, Statistics, path.name, step)


def with_mixtures(
    content: dict[str, Any], scale: Scale, layout: Layout, recipes: Mapping[str, Recipe]
) -> dict[str, Any]:
    """The statistics, with the mixtures that they lack counted now.

    For laws of studies that the scale does not list, which mixtures.json knows nothing of.
    """
    lost = {label: r for label, r in recipes.items() if label not in content["mixtures"]}
    if not lost:
        return content
    general = any(r.general_share for r in lost.values())
    found = statistics(placed(scale, layout.corpus, general), lost, layout.root)
    return {**content, "mixtures": content["mixtures"] | found["mixtures"]}


def diversity(content: Mapping[str, Any], recipe: Recipe, scale: Scale) -> tuple[float, int]:
    """Share of distinct n-grams of a mixture, and their number.

    Raises InputError for a mixture that is not there.
    """
    mixtures = content.get("mixtures")
    if not isinstance(mixtures, dict) or recipe.label not in mixtures:
        raise InputError(
            f"mixture {recipe.label!r}: not among the {len(mixtures or ())} of mixtures.json, "
            f"which knows the laws of its day; {NEXT.format(scale=scale.name)}"
        )
    entry = mixtures[recipe.label]
    entry = entry if isinstance(entry, dict) else {}
    for key, most in (("distinct_share", 1.0), ("distinct_ngrams", math.inf)):
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise InputError(
                f"mixture {recipe.label!r}: {key} is {str(value)[:20]!r} in mixtures.json, "
                f"expected a number from 0; {NEXT.format(scale=scale.name)}"
            )
    return float(entry["distinct_share"]), int(entry["distinct_ngrams"])


def _origin(scale: Scale, layout: Layout) -> dict[str, Any]:
    """Everything that the statistics follow from."""
    return {
        "manifest": file_sha256(require_manifest(layout.corpus, scale)),
        "unique_below": scale.corpus.unique_below,
        "recipes": versions.RECIPES,
        "n": N,
        "fields": list(FIELDS),
    }


def _short(value: object) -> str:
    return str(value)[:12]


def statistics(
    corpus: Placed, recipes: Mapping[str, Recipe], folder: Path | None = None
) -> dict[str, Any]:
    """`disciplines`, `total` and `mixtures`, as plain data (docs/corpus.md names every key).

    recipes: by label. folder: for n-grams that do not fit into memory (None: the system's).
    Raises InputError for a mixture without a single n-gram.
    """
    times = {label: corpus.times(recipe) for label, recipe in recipes.items()}
    # Mixtures of the same rows share their distinct n-grams, however often a row occurs.
    supports: dict[bytes, Flags] = {}
    support_of: dict[str, bytes] = {}
    for label, often in times.items():
        support_of[label] = hashlib.sha256(np.packbits(often > 0).tobytes()).digest()
        supports.setdefault(support_of[label], often > 0)
    with Distinct(list(supports.values()), folder) as ngrams:
        texts = {name: _Text(rows, ngrams) for name, rows in corpus.texts()}
        distinct = dict(zip(supports, ngrams.counts(), strict=True))
    counts = np.concatenate([t.counts for t in texts.values()])
    starts = np.cumsum([0, *corpus.sizes.values()])
    mixtures: dict[str, dict[str, Any]] = {}
    for label, often in times.items():
        total = int(often @ counts)
        if not total:
            raise InputError(
                f"mixture {label!r}: no sample has {N} words, so it has no {N}-grams; "
                f"train on longer samples"
            )
        rows = [int(part.sum()) for part in np.split(often, starts[1:-1])]
        mixtures[label] = {
            "rows": {name: n for name, n in zip(texts, rows, strict=True) if n},
            "ngrams": total,
            "distinct_ngrams": distinct[support_of[label]],
            "distinct_share": distinct[support_of[label]] / total,
        }
    science_texts = {name: texts[name] for name in corpus.disciplines}
    return {**_table(science_texts, corpus.unique_below), "mixtures": mixtures}


class _Text:
    """Counted words of one discipline's rows.

    counts: n-grams per row; the n-grams themselves go to `ngrams`. words: of all rows. holders:
    how many rows hold each word.
    """

    def __init__(self, rows: Iterable[Row], ngrams: Distinct) -> None:
        self.words = 0
        self.holders = Holders()
        counts: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        for block in blocks(rows):
            self.words += len(block.hashes)
            self.holders.add(block)
            hashes, per_row = ngram_hashes(block.hashes, block.lengths, N)
            ngrams.add(hashes, per_row)
            counts.append(per_row)
        self.counts = np.concatenate(counts)

    @property
    def samples(self) -> int:
        return len(self.counts)


def _table(texts: Mapping[str, _Text], unique_below: int) -> dict[str, Any]:
    """The rows of Table 1: samples, percent, words per sample, discipline-specific words."""
    holders = {name: t.holders.table() for name, t in texts.items()}
    everywhere = merge(holders.values())
    samples = sum(t.samples for t in texts.values())
    lines = {}
    for name, text in texts.items():
        words, own = holders[name]
        specific = rows_with(words, everywhere) - own < unique_below
        lines[name] = {
            "samples": text.samples,
            "percent": 100 * text.samples / samples,
            "average_words": text.words / text.samples,
            "unique_tokens": int(specific.sum()),
        }
    total = {
        "samples": samples,
        "percent": 100.0,
        "average_words": sum(t.words for t in texts.values()) / samples,
        # As in the published table the total is the sum: a word may be rare in two disciplines.
        "unique_tokens": sum(line["unique_tokens"] for line in lines.values()),
    }
    return {"disciplines": lines, "total": total}
