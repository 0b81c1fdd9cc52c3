"""What a selector is asked and answers, and which rows represent a task.

Representatives follow Algorithm 1 of Adapters Selector (Tian et al.), with its similarities
maximised where the paper minimises them, or the released code (tirant35/TASA @e346309).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.recipe import Row, order_key
from lawcheck.declare.design import Discipline, Selection
from lawcheck.declare.metrics import UNKNOWN, UNREADABLE
from lawcheck.errors import InputError, nearest

Vectors = NDArray[np.float64]
SEED = 0
ROUNDS = 300


@dataclass(frozen=True)
class Question:
    """What a selector is asked. labels: task -> words for its domain and for itself, in order.

    which: as of lawcheck.declare.design.World.
    """

    which: str
    labels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, disciplines: Iterable[Discipline], world: str, tasks: Sequence[str]) -> Question:
        """Raises InputError for a task without a label, for two with one label, and for two
        wordings of the question.
        """
        placed = {
            t.name: (t.label, d.worlds[world].which)
            for d in disciplines
            if world in d.worlds
            for t in d.worlds[world].tasks
        }
        for name in tasks:
            if name not in placed:
                raise InputError(
                    f"selection: no task {name!r} in world {world!r}; {nearest(name, placed)}"
                )
            if not placed[name][0]:
                raise InputError(
                    f"selection: task {name!r} has no label that a selector could answer with; "
                    f"give its EvalTask one"
                )
        wordings = sorted({placed[name][1] for name in tasks})
        if len(wordings) > 1:
            raise InputError(
                f"selection: its tasks ask in {len(wordings)} wordings, such as "
                f"{wordings[0][:40]!r}, expected one; give their worlds the same 'which'"
            )
        asked = cls(wordings[0], {name: placed[name][0] for name in tasks})
        twice = [n for n, label in asked.labels.items() if asked.places[label] != n]
        if twice:
            other = asked.places[asked.labels[twice[0]]]
            raise InputError(
                f"selection: tasks {twice[0]!r} and {other!r} are both labelled "
                f"{' '.join(asked.labels[other])!r}; give one another label"
            )
        return asked

    @property
    def joint(self) -> str:
        return "\n" if "\n" in self.which else " "

    @property
    def places(self) -> dict[tuple[str, ...], str]:
        return {label: name for name, label in self.labels.items()}

    def prompt(self, given: str) -> str:
        domains = dict.fromkeys(label[0] for label in self.labels.values())
        tasks = dict.fromkeys(label[1] for label in self.labels.values())
        words = {"domains": ", ".join(domains), "tasks": ", ".join(tasks)}
        # An input may hold braces of its own.
        asked = self.which
        for name, text in (*words.items(), ("input", given)):
            asked = asked.replace("{" + name + "}", text)
        return asked

    def answer(self, task: str) -> str:
        return self.joint.join(self.labels[task])

    def read(self, reply: str) -> int:
        """The place of the task that a reply names; UNREADABLE where it is no domain and task,
        UNKNOWN where no task is called so.
        """
        parts = reply.split("\n") if self.joint == "\n" else reply.split()
        named = tuple(part.strip() for part in parts if part.strip())
        if len(named) != 2:
            return UNREADABLE
        found = self.places.get(named)
        return UNKNOWN if found is None else list(self.labels).index(found)


def input_of(row: Row) -> str:
    """Raises InputError for a row whose input is missing or empty."""
    given = row.get("input")
    if not isinstance(given, str) or not given.strip():
        raise InputError(
            f"row {row['id']!r}: input is {given!r}, expected the text that a selector sees; take "
            f"the row out, or put its text under 'input'"
        )
    return given


def asked(rows: Iterable[Row], question: Question) -> list[Row]:
    """The rows as questions to a selector."""
    return [
        {
            **row,
            "prompt": question.prompt(input_of(row)),
            "response": question.answer(row["task"]),
        }
        for row in rows
    ]


def ambiguous(rows: Iterable[Row]) -> int:
    """Inputs that rows of more than one task have. They are kept."""
    tasks = defaultdict(set)
    for row in rows:
        tasks[row["input"]].add(row["task"])
    return sum(len(found) > 1 for found in tasks.values())


def choose(
    rows: Sequence[Row],
    selection: Selection,
    task: str,
    embed: Callable[[Sequence[Row]], Vectors],
) -> list[Row]:
    """The rows of a task that a selection keeps, in the order of their hashed ids.

    rows: all of the task, in any order. embed: (n, width) vectors of rows; called where clusters
    are wanted. More centres than distinct vectors are as many as those.
    """
    ordered = sorted(rows, key=lambda row: order_key(row["id"]))
    kept = list(range(len(ordered)))
    if selection.k is not None and selection.k < len(ordered):
        if selection.by == "random":
            drawn = random.Random(f"selection {task}").sample(kept, len(kept))
            kept = sorted(drawn[: selection.k])
        else:
            kept = representatives(
                embed(ordered), selection.k, selection.distance, selection.released
            )
    # Nested: a smaller share of the same rows.
    count = int(len(kept) * selection.share(task) + 0.5)
    return [ordered[k] for k in kept[:count]]


def representatives(vectors: Vectors, k: int, distance: str, released: bool = False) -> list[int]:
    """Places of the vectors nearest to each of k centres, ascending and without repeats.

    distance: L2; COS, of unit vectors with spherical centres; IP, with spherical centres only.
    released: centres of L2 whatever the distance, which only picks each centre's nearest vector.
    Raises InputError for a zero vector under COS.
    """
    from sklearn.cluster import KMeans

    found = vectors.astype(np.float64)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if distance == "COS":
        zero = np.flatnonzero(lengths[:, 0] == 0)
        if zero.size:
            raise InputError(
                f"selection: vector {int(zero[0])} of {len(found)} is zero and has no direction; "
                f"choose distance L2, or take its row out"
            )
    count = min(k, len(np.unique(found, axis=0)))
    unit = found / np.where(lengths == 0, 1, lengths)
    if distance == "L2" or released:
        centres = KMeans(count, n_init=1, random_state=SEED).fit(found).cluster_centers_
    else:
        centres = _spherical(unit if distance == "COS" else found, count)
    if distance == "L2":
        far = ((found**2).sum(1) - 2 * centres @ found.T) + (centres**2).sum(1)[:, None]
        nearest_of = far.argmin(axis=1)
    elif distance == "COS":
        # The length of a centre does not move its own nearest vector.
        nearest_of = (centres @ unit.T).argmax(axis=1)
    else:
        nearest_of = (centres @ found.T).argmax(axis=1)
    return sorted({int(place) for place in nearest_of})


def _spherical(vectors: Vectors, count: int) -> Vectors:
    """Unit centres of k-means by the largest inner product (Dhillon and Modha 2001)."""
    from sklearn.cluster import kmeans_plusplus

    centres = _unit(kmeans_plusplus(vectors, count, random_state=SEED)[0])
    labels = None
    for _ in range(ROUNDS):
        found = (vectors @ centres.T).argmax(axis=1)
        if labels is not None and np.array_equal(found, labels):
            break
        labels = found
        for c in range(count):
            own = vectors[labels == c]
            # A centre that nothing is nearest to stays where it is.
            if len(own):
                centres[c] = _unit(own.mean(axis=0)[None])[0]
    return centres


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def plane(vectors: Vectors) -> Vectors:
    """(n, 2) first two principal components, each with its largest weight positive."""
    centred = vectors - vectors.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    found = centred @ (axes * signs[:, None]).T
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def text_vectors(texts: Sequence[str], fitted_on: Sequence[str], width: int = 64) -> Vectors:
    """(n, at most width) TF-IDF of words, projected by a truncated SVD of all of `fitted_on`."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(token_pattern=r"\S+")  # noqa: S106 (no password)
    counts = words.fit_transform(fitted_on)
    size = min(width, min(counts.shape) - 1)
    if size < 1:
        return np.asarray(words.transform(texts).toarray(), np.float64)
    projection = TruncatedSVD(size, random_state=SEED).fit(counts)
    return np.asarray(projection.transform(words.transform(texts)), np.float64)


def input_vectors(
    texts: Sequence[str], tokenizer: Any, weights: NDArray[np.float32], pad: int | None = None
) -> Vectors:
    """(n, width) means of the input embeddings of each text's tokens.

    pad: a token that fills all texts up to the longest and counts in the mean, as in the published
    code.
    """
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    longest = max(map(len, ids), default=0)
    if pad is not None:
        ids = [[*own, *[pad] * (longest - len(own))] for own in ids]
    return np.stack([weights[own].astype(np.float64).mean(axis=0) for own in ids])


def vectors_of(
    rows: Sequence[Row],
    selection: Selection,
    every: Sequence[Row],
    inner: Callable[[], tuple[Any, NDArray[np.float32]]],
) -> Vectors:
    """(n, width) embeddings of rows. every: all rows of the selection's tasks. inner: tokenizer and
    input embeddings of the base, loaded where they are needed.
    """

    def text(row: Row) -> str:
        given = input_of(row)
        return f"{row.get('instruction') or ''} {given}".strip() if selection.released else given

    texts = [text(row) for row in rows]
    if selection.embedding == "tfidf_svd":
        return text_vectors(texts, [text(row) for row in every])
    tokenizer, weights = inner()
    pad = tokenizer.eos_token_id if selection.released else None
    return input_vectors(texts, tokenizer, weights, pad)
