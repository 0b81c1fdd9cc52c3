"""The training rows of a run whose recipe selects rows of tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lawcheck.corpus import selecting
from lawcheck.corpus.build import training_parts
from lawcheck.corpus.recipe import Row, order_key
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Selection
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError

# Rows that were not kept, shown beside those that were.
SHOWN = 200


@dataclass(frozen=True)
class SelectedRows:
    """rows: to train on. counts: task -> rows. ambiguous: inputs of more than one task.

    places: of the first task's rows that were clustered, the kept ones and some of the others: id
    -> two coordinates (`plane`), and 1 where it was kept, else 0.
    """

    rows: tuple[Row, ...]
    counts: dict[str, int]
    ambiguous: int
    places: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def record(self) -> dict[str, Any]:
        return {
            "rows": self.counts,
            "ambiguous_inputs": self.ambiguous,
            "places": {name: list(place) for name, place in self.places.items()},
        }


def question_of(scale: Scale, selection: Selection) -> selecting.Question:
    return selecting.Question.of(science(scale), scale.world, selection.tasks)


def task_rows(scale: Scale, corpus: Path, selection: Selection) -> dict[str, list[Row]]:
    """All training rows of the selection's tasks, by task. Raises InputError for a task without."""
    parts, _ = training_parts(scale, corpus, False)
    found: dict[str, list[Row]] = {task: [] for task in selection.tasks}
    for rows in parts.values():
        for row in rows:
            if row.get("task") in found:
                found[row["task"]].append(row)
    empty = next((task for task, own in found.items() if not own), None)
    if empty is not None:
        raise InputError(
            f"selection: no training row is of task {empty!r} at scale {scale.name!r}; name tasks "
            f"that its rows state under 'task'"
        )
    return found


def selected_rows(arm: Arm, scale: Scale, corpus: Path, base_folder: Path | str) -> SelectedRows:
    """What an arm is trained on; of a selector, its questions.

    base_folder: whose input embeddings rows are clustered by. Raises InputError for rows and tasks
    that do not serve.
    """
    assert arm.recipe is not None
    selection = scale.sized(arm.recipe).selection
    assert selection is not None
    by_task = task_rows(scale, corpus, selection)
    every = [row for own in by_task.values() for row in own]
    inner = functools.cache(lambda: embeddings(base_folder, scale.revision(arm.base)))

    def embed(rows: Sequence[Row]) -> selecting.Vectors:
        return selecting.vectors_of(rows, selection, every, inner)

    kept = {task: selecting.choose(own, selection, task, embed) for task, own in by_task.items()}
    first = selection.tasks[0]
    clustered = selection.by == "kmeans" and selection.k is not None
    places = _places(by_task[first], kept[first], embed) if clustered else {}
    rows = [row for own in kept.values() for row in own]
    selects = discovery.method(arm.method).selects
    if selects:
        rows = selecting.asked(rows, question_of(scale, selection))
    if not rows:
        raise InputError(
            f"arm {arm.name!r}: its selection keeps no row; raise retained, or name tasks "
            f"that are kept whole"
        )
    counts = {task: len(own) for task, own in kept.items()}
    ambiguous = selecting.ambiguous(rows) if selects else 0
    return SelectedRows(tuple(rows), counts, ambiguous, places)


def _places(
    rows: Sequence[Row], kept: Sequence[Row], embed: Callable[[Sequence[Row]], selecting.Vectors]
) -> dict[str, tuple[float, float, float]]:
    ordered = sorted(rows, key=lambda row: order_key(row["id"]))
    chosen = {row["id"] for row in kept}
    others = [row["id"] for row in ordered if row["id"] not in chosen][:SHOWN]
    plane = selecting.plane(embed(ordered))
    return {
        row["id"]: (float(x), float(y), float(row["id"] in chosen))
        for row, (x, y) in zip(ordered, plane, strict=True)
        if row["id"] in chosen or row["id"] in others
    }


def embeddings(base_folder: Path | str, revision: str) -> tuple[Any, NDArray[np.float32]]:
    """The tokenizer of a base model, and its (vocabulary, width) input embeddings."""
    from lawcheck.training.base.tokenizer import load_tokenizer
    from lawcheck.training.chain import load_model

    model = load_model(base_folder, revision, dtype=torch.float32)
    weights = model.get_input_embeddings().weight.detach().numpy()
    return load_tokenizer(base_folder, revision), weights
