"""What tables and figures of the study share: columns of both, labels, printed rows, notes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lawcheck.declare.design import Arm, Selection
from lawcheck.errors import InputError
from lawcheck.judging.stats import paired_t
from lawcheck.scores import ROWS_SELECTED
from lawcheck.show.columns import fixed, row
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Row
from lawcheck.show.labels import part_label
from lawcheck.show.printed import lines
from lawcheck.show.summary import SEEDS, Measure, measure
from lawcheck.studies.adapters_selector.ceiling import ceiling
from lawcheck.studies.adapters_selector.checks import table

# Our tasks -> the printed columns under them. Other tasks: the pairs share no more than their
# place, the ambiguous ones in one domain with the task that suffers, and which came second.
PRINTED = {
    "biology_transcribe": "med_ie",
    "biology_codon": "med_mc",
    "biology_complement": "med_tg",
    "biology_translate": "med_qa",
    "medicine_drug": "legal_ie",
    "medicine_diagnose": "legal_mc",
    "medicine_test": "legal_ji",
    "medicine_avoid": "legal_jw",
    "geography_country": "fin_re",
    "geography_direction": "fin_sa",
    "geography_river": "fin_ha",
    "geography_turn": "fin_cm",
}
EMBEDDINGS = {"inputs": "embed-layer", "tfidf_svd": "m3e"}
NAMES = {"inputs": "input embeddings", "tfidf_svd": "TF-IDF"}
SCALE = "published, Qwen2-7B, one run"
ACC, ROWS = "acc", "rows"
PAIRED = (
    "In brackets, the printed column that stands in the place of a task: the published tasks are "
    "others, so that only the shape may be compared."
)


def columns(tasks: Sequence[str], rows: bool = False) -> tuple[Column, ...]:
    """The mean, the tasks in the order of the printed columns, and rows kept of each task."""
    ordered = [t for t in PRINTED if t in tasks]
    of = functools.partial(Column, unit="accuracy")
    found = [
        of(key=ACC, header="Mean", of=tuple(ordered)),
        *(of(key=t, header=f"{_skill(t)} ({_short(PRINTED[t])})") for t in ordered),
    ]
    if rows:
        found.insert(0, Column(key=ROWS, header="Rows a task", unit="rows", decimals=1, best=False))
    return tuple(found)


def _skill(task: str) -> str:
    return part_label(task.partition("_")[2]) if "_" in task else part_label(task)


def _short(column: str) -> str:
    domain, _, skill = column.partition("_")
    return f"{domain} {skill.upper()}"


def asked(arm: Arm) -> tuple[str, ...]:
    """The tasks that a selector names, or that something made of adapters answers."""
    if arm.selection is not None:
        return arm.selection.tasks
    return tuple(t for p in arm.parents if not _selects(p) for t in asked(p))


def _selects(arm: Arm) -> bool:
    return arm.method in ("selector", "lookup")


def measures(
    context: RenderContext, tasks: Sequence[str]
) -> dict[str, Callable[[Arm], Measure | None]]:
    """Column -> how it is measured: of an arm's own tasks only, since it knows no others."""
    found: dict[str, Callable[[Arm], Measure | None]] = {
        t: functools.partial(_own, context, t) for t in tasks
    }
    return found | {
        ACC: lambda arm: context.summary.accuracy(arm, _those(arm, tasks)),
        ROWS: lambda arm: kept_rows(context, arm),
    }


def _those(arm: Arm, tasks: Sequence[str]) -> tuple[str, ...]:
    own = asked(arm) or tuple(tasks)
    return tuple(t for t in tasks if t in own)


def _own(context: RenderContext, task: str, arm: Arm) -> Measure | None:
    return context.summary.accuracy(arm, task) if task in _those(arm, (task,)) else None


def kept_rows(context: RenderContext, arm: Arm) -> Measure | None:
    """Rows of a task that an arm's selection kept: mean over its tasks, then over seeds."""
    if arm.selection is None:
        return None
    found: dict[int, list[float]] = {}
    for task in arm.selection.tasks:
        seeds = context.scores.seeds(arm.name, task, ROWS_SELECTED)
        if seeds:
            cube = context.scores.cube(arm.name, task, seeds, ROWS_SELECTED)
            for seed, value in zip(seeds, np.nanmean(cube, axis=1).tolist(), strict=True):
                found.setdefault(seed, []).append(value)
    means = [sum(v) / len(v) for v in found.values()]
    return measure(paired_t(means), 1.0, SEEDS) if means else None


def chosen(arms: Sequence[Arm], tasks: Sequence[str], by: str) -> list[Arm]:
    """Selectors of these tasks, trained once with the method's own design, in the order given."""
    found = [
        a
        for a in arms
        if a.method == "selector"
        and not a.parents
        and not a.design
        and a.selection is not None
        and set(a.selection.tasks) == set(tasks)
    ]
    if not found:
        raise InputError(
            f"{by}: the law declares no selector of {len(tasks)} tasks; declare one, or leave {by} "
            f"out of its list"
        )
    return found


def selection_label(selection: Selection) -> str:
    """`500, TF-IDF, COS`; what differs from the paper's arms behind it."""
    if selection.by == "random":
        parts = [f"{selection.k}", "at random"]
    else:
        parts = [f"{selection.k or 'all'}", NAMES[selection.embedding], selection.distance]
    if selection.steps_of is not None:
        parts.append(f"steps of {selection.steps_of}")
    if selection.released:
        parts.append("as released")
    return ", ".join(parts)


def order(arm: Arm) -> tuple[object, ...]:
    """Of selectors, as the paper lists them."""
    s = arm.selection
    assert s is not None
    return (
        s.by,
        s.steps_of is not None,
        list(EMBEDDINGS).index(s.embedding),
        s.k or math.inf,
        ("L2", "IP", "COS").index(s.distance),
    )


def published_of(number: int, tasks: int) -> Callable[[Arm, str], str | None]:
    """The printed cell of a selector, by its size, embedding and distance."""
    by = {
        (r["size"], r["embedding"], r["distance"]): r
        for r in lines(table(number))
        if r["selector"].isdigit()
    }

    def find(arm: Arm, column: str) -> str | None:
        s = arm.selection
        if s is None or s.by != "kmeans" or s.steps_of is not None or s.released:
            return None
        line = by.get((f"{s.k}*{tasks}", EMBEDDINGS[s.embedding], s.distance))
        return None if line is None else cell(line, column)

    return find


def cell(line: Mapping[str, str], column: str) -> str | None:
    text = line.get(ACC if column == ACC else PRINTED.get(column, ""), "")
    return text if text and text != "\u2014" else None


def selectors(
    context: RenderContext, found: Sequence[Arm], wanted: Sequence[Column], number: int, block: str
) -> list[Row]:
    """Rows of selectors, each with its printed one."""
    tasks = _tasks(wanted)
    how = measures(context, tasks)
    published = published_of(number, len(tasks))
    return [
        row(context, wanted, a, selection_label(a.selection), block, published, how)
        for a in sorted(found, key=order)
        if a.selection is not None
    ]


def ceiling_row(context: RenderContext, wanted: Sequence[Column], block: str) -> list[Row]:
    """The Bayes ceiling beside the means; nothing where the tasks are not generated."""
    best = ceiling(context.world, _tasks(wanted))
    if best is None:
        return []
    found = fixed(best.value, "none, counted")
    cells = tuple(Cell(measure=found if c.key == ACC else None) for c in wanted)
    return [Row(label="Bayes ceiling", arm="", cells=cells, block=block, best=False)]


def _tasks(wanted: Sequence[Column]) -> tuple[str, ...]:
    return tuple(c.key for c in wanted if c.key in PRINTED)


def notes(context: RenderContext, wanted: Sequence[Column]) -> list[str]:
    """What bounds the accuracy, and how columns are paired."""
    best = ceiling(context.world, _tasks(wanted))
    if best is None:
        return [PAIRED]
    said = "; ".join(f"nothing in an input tells {a} from {b}" for a, b in best.pairs)
    return [
        f"Bayes ceiling: {said or 'no two tasks share inputs'}, as the generator shows.",
        PAIRED,
    ]
