"""Scores that follow from those of other runs: of routed adapters, an oracle, and a lookup.

An item of a routed arm has the scores that the adapter which its selector names has on it; so the
model that switches adapters item by item need not be run. Where the reply names no adapter, it has
those of the base model.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lawcheck.corpus import selecting
from lawcheck.corpus.folder import read_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Run, Score
from lawcheck.declare.layout import Layout
from lawcheck.declare.metrics import UNREADABLE
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError
from lawcheck.planning.plan import Planner
from lawcheck.scores import CHOSEN, DIVERGED, FAULT, ROUTING
from lawcheck.scores import read_rows as read_scores
from lawcheck.training.record import read_record


class Item(NamedTuple):
    task: str
    item: str


class Value(NamedTuple):
    metric: str
    value: float
    cluster: str


Base = Callable[[], Path | str]
Values = Mapping[Item, list[Value]]
Answers = Callable[[Run, set[Item]], Path]
# Of runs or tasks, not of items.
NO_ITEMS = {ROUTING, FAULT, DIVERGED}


def derived_scores(
    planner: Planner, layout: Layout, run: Run, base: Base, answers: Answers
) -> list[Score]:
    """The rows of a run of a derived method. base: gives the folder of its base model. answers: has
    an adapter answer items that it was not asked, and gives the file of their scores.

    Raises InputError for parents that leave open which adapter answers.
    """
    if discovery.method(run.arm.method).selects:
        return list(_lookup(planner, layout, run, base))
    parents = planner.needs(run)
    selectors = [p for p in parents if discovery.method(p.arm.method).selects]
    wanted = 1 if run.arm.method == "routed" else 0
    if len(selectors) != wanted:
        raise InputError(
            f"arm {run.arm.name!r}: {len(selectors)} of its parents are selectors, expected "
            f"{wanted}; correct its parents"
        )
    adapters = adapters_by_task(run, [p for p in parents if p not in selectors])
    values = {task: _values(layout, p) for task, p in adapters.items()}
    untouched = _values(layout, planner.base_run(run.arm, run.seed))
    # A composite of a run that diverged is as good as its last good state.
    lost = any((read_record(layout.run(p.id)) or {}).get("diverged") for p in parents)
    found = list(_scores(run, Item("train", ""), [Value(DIVERGED, 1.0, "")])) if lost else []
    if not selectors:
        for item, own in untouched.items():
            found += _scores(run, item, values.get(item.task, untouched).get(item, own))
        return found
    chosen = _values(layout, selectors[0], CHOSEN)
    selection = selectors[0].arm.selection
    assert selection is not None
    sent = {}
    for item in untouched:
        place = int(chosen[item][0].value) if item in chosen else UNREADABLE
        named = selection.tasks[place] if place >= 0 else ""
        sent[item] = named if named in values else ""
    for task, adapter in adapters.items():
        unasked = {item for item, named in sent.items() if named == task} - values[task].keys()
        if unasked:
            values[task] = {**values[task], **_read(answers(adapter, unasked))}
    for item, named in sent.items():
        found += _scores(run, item, values.get(named, untouched)[item])
        if item in chosen:
            found += _scores(run, item, chosen[item])
    return found


def adapters_by_task(run: Run, parents: list[Run]) -> dict[str, Run]:
    """Raises InputError for a parent that is no adapter of one task, and for two of one."""
    found: dict[str, Run] = {}
    for parent in parents:
        selection = parent.arm.selection
        tasks = selection.tasks if selection is not None else ()
        if len(tasks) != 1:
            raise InputError(
                f"arm {run.arm.name!r}: parent {parent.arm.name!r} is trained on {len(tasks)} "
                f"selected tasks, expected one, which it answers; give it a selection of one task"
            )
        if tasks[0] in found:
            raise InputError(
                f"arm {run.arm.name!r}: two of its parents are adapters of task {tasks[0]!r}; "
                f"leave one out"
            )
        found[tasks[0]] = parent
    return found


def _values(layout: Layout, run: Run, only: str = "") -> Values:
    """Of every item of a run's score file, its metrics, or this one."""
    return _read(layout.run_scores(run.id), only)


def _read(path: Path, only: str = "") -> Values:
    table = read_scores([path])
    found: dict[Item, list[Value]] = defaultdict(list)
    for row in table.to_pylist():
        metric = row["metric"]
        skipped = metric != only if only else metric in NO_ITEMS or metric == CHOSEN
        if not skipped:
            value = float("nan") if row["value"] is None else row["value"]
            found[Item(row["task"], row["item_id"])].append(Value(metric, value, row["cluster"]))
    return found


def _scores(run: Run, item: Item, values: list[Value]) -> Iterator[Score]:
    for value in values:
        yield Score(
            run_id=run.id,
            arm=run.arm.name,
            seed=run.seed,
            task=item.task,
            item_id=item.item,
            cluster=value.cluster,
            metric=value.metric,
            value=value.value,
        )


def _lookup(planner: Planner, layout: Layout, run: Run, base: Base) -> Iterator[Score]:
    """A logistic regression on the vectors that rows are selected by, in place of a selector."""
    from sklearn.linear_model import LogisticRegression

    from lawcheck.training.selection import embeddings, question_of, selected_rows, task_rows

    scale, selection = planner.scale, run.arm.selection
    if selection is None:
        raise InputError(
            f"arm {run.arm.name!r}: a lookup without a selection; give its recipe one of two or "
            f"more tasks"
        )
    rows = selected_rows(run.arm, scale, layout.corpus, base()).rows
    every = [r for own in task_rows(scale, layout.corpus, selection).values() for r in own]
    loaded = functools.cache(lambda: embeddings(base(), scale.revision(run.arm.base)))

    def vectors(some: list[dict[str, object]]) -> selecting.Vectors:
        return selecting.vectors_of(some, selection, every, loaded)

    question = question_of(scale, selection)
    places = [selection.tasks.index(row["task"]) for row in rows]
    if len(set(places)) < 2:
        raise InputError(
            f"arm {run.arm.name!r}: a lookup over rows of one task, expected two or more tasks; "
            f"name more"
        )
    classifier = LogisticRegression(max_iter=1000).fit(vectors(list(rows)), places)
    for d in science(scale):
        if not scale.evaluation.asks(d.name):
            continue
        documents = read_rows(layout.corpus / f"{d.name}.eval.jsonl")
        for task in d.worlds[scale.world].tasks:
            own = [r for r in documents if r.get("task", task.name) == task.name]
            own = own[: scale.evaluation.items]
            for row, place in zip(own, classifier.predict(vectors(own)), strict=True):
                right = task.name in question.labels and selection.tasks[place] == task.name
                cluster = str(row[task.cluster]) if task.cluster else ""
                item = Item(task.name, str(row["id"]))
                yield from _scores(
                    run,
                    item,
                    [
                        Value(task.metric, float(right), cluster),
                        Value(CHOSEN, float(place), cluster),
                    ],
                )
