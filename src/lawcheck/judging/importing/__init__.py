"""Results of other tools as a score table: output of evaluation tools, CSV, TSV, Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.judging.importing.found import runs_below
from lawcheck.judging.importing.harness import differences
from lawcheck.judging.importing.placement import (
    ImportMap,
    Placement,
    Placer,
    read_map,
    refuse_unused,
)
from lawcheck.judging.importing.runs import FEWEST, Answers, Run
from lawcheck.judging.importing.tables import Table, is_table, read_table
from lawcheck.scores import ScoreTable, TaskPlace, check, task_places
from lawcheck.scores.files import typed, write_scores

# Answers of a run or task -> arm -> the first seed and run that gave them.
Copies = dict[tuple[tuple[str, str], ...], dict[str, tuple[int, Run]]]
# Start of a note for those who judge laws of a study.
OUTSIDE = "tasks outside lawcheck's disciplines: "

__all__ = ["ImportMap", "Imported", "import_scores", "read_map", "summary"]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What came in. table: checked and written. notes: whatever was chosen, joined or left out."""

    table: pa.Table
    notes: tuple[str, ...]


def import_scores(
    paths: Sequence[str | Path],
    out: Path,
    *,
    mapping: ImportMap | None = None,
    arm: str | None = None,
    seeds: Sequence[int] | None = None,
    partial: bool = False,
) -> Imported:
    """Read every path, place its runs and write one checked score table.

    paths: output folders or results files of lm-eval, inspect_ai or lighteval, tables (CSV, TSV,
    Parquet). arm, seeds: of everything that is read, where given. partial: leave out runs without
    an arm or a seed.

    Raises InputError for unreadable files, runs that cannot be placed (all of them named), two
    runs in one place, one run in two places, instructions that match nothing, and whatever
    `lawcheck.scores.check` refuses. Nothing is written then.
    """
    mapping = mapping or ImportMap()
    placer = Placer(mapping, arm, tuple(seeds) if seeds is not None else None)
    places = task_places(discovery.disciplines().values())
    runs: list[Run] = []
    tables: list[Table] = []
    for path in map(Path, paths):
        if path.is_file() and is_table(path):
            tables.append(read_table(path, mapping, placer, places))
        else:
            runs += runs_below(path, mapping, places)
    placed, unplaced, notes = _place(runs, placer)
    notes += refuse_unused(
        mapping,
        [(*r.labels, r.model, *r.also) for r in runs]
        + [(label,) for t in tables for label in t.labels],
        [t for r in runs for t in (*(a.source for a in r.tasks), *r.left_out)]
        + [t for table in tables for t in table.tasks],
        places,
        bool(tables),
    )
    if gone := sorted({t for r in runs for t in r.left_out}):
        notes.append(f"tasks left out by the mapping: {', '.join(gone)}")
    found = [*(t.rows for t in tables), *placed]
    lost = [run for t in tables for run in t.lost] + unplaced
    notes = [n for t in tables for n in t.notes] + notes
    if lost:
        told = f"without arm or seed: {'; '.join(lost)}"
        if not partial:
            labels = [*(r.origin for r in runs), *(x for t in tables for x in t.labels)]
            # A table whose run ids are all empty has nothing that a mapping could match.
            step = (
                f"place them with --map ({placer.entry(labels[0])})"
                if labels
                else "name the runs in column 'run_id', or add columns 'arm' and 'seed'"
            )
            raise InputError(f"import: {len(lost)} runs {told}; {step}, or skip with --partial")
        notes.append(f"left out, {told}")
    if not any(len(t) for t in found):
        raise InputError("import: no row could be placed; name arms and seeds with --map")
    whole = pa.concat_tables(found).unify_dictionaries()
    checked = check(whole, "import")
    notes += _repeated(
        checked, {a for t in tables for a in t.rows.column("arm").unique().to_pylist()}
    )
    notes += _alike(checked.arms)
    notes += _doubts([a for r in runs for a in r.tasks])
    notes += _strangers(checked.item_metric, places)
    write_scores(whole, out)
    return Imported(table=whole, notes=tuple(dict.fromkeys(notes)))


def _place(runs: Sequence[Run], placer: Placer) -> tuple[list[pa.Table], list[str], list[str]]:
    """Rows of the runs that have a place; names of the others; notes."""
    found: list[pa.Table] = []
    lost: list[str] = []
    notes: list[str] = []
    home: dict[tuple[str, int, str], Run] = {}
    models: dict[tuple[str, int, str], Run] = {}
    copies: Copies = {}
    first: dict[str, tuple[Answers, Run]] = {}
    for run in runs:
        notes += run.notes
        place = placer.place(run.labels, run.model, run.also)
        if not isinstance(place, Placement):
            lost.append(f"{run.origin} ({place})")
            continue
        if len(place.seeds) > 1:
            notes.append(
                f"{run.origin}: one evaluation stands for seeds {', '.join(map(str, place.seeds))};"
                f" sound for an untrained model only"
            )
        _one_model(run, place, models, placer.mapping.differ)
        notes += _no_copy(run, place, copies)
        for answers in run.tasks:
            other = first.setdefault(answers.source, (answers, run))
            notes += _compare(answers, run, *other, placer.mapping.differ)
            for seed in place.seeds:
                taken = home.setdefault((place.arm, seed, answers.source), run)
                if taken is not run:
                    odd = differences(taken.identity, run.identity)
                    raise InputError(
                        f"import: {taken.origin} and {run.origin} both hold arm {place.arm!r}, "
                        f"seed {seed}, task {answers.source!r}"
                        + (f", of models that differ in {odd}" if odd else "")
                        + "; "
                        + (
                            "name it once, or the one results file that you mean"
                            if taken.origin == run.origin
                            else "tell them apart with --map"
                        )
                    )
                found.append(_rows(answers, run.origin, place.arm, seed))
    return found, lost, notes


def _one_model(
    run: Run,
    place: Placement,
    models: dict[tuple[str, int, str], Run],
    differ: Sequence[str],
) -> None:
    """An arm and seed is one state of a model, whatever number of files holds its tasks."""
    for seed in place.seeds:
        other = models.setdefault((place.arm, seed, next(iter(run.tool))), run)
        odd = differences(_but(_named(other), differ), _but(_named(run), differ))
        if odd:
            raise InputError(
                f"import: {other.origin} and {run.origin} both hold arm {place.arm!r}, seed "
                f"{seed}, but differ in {odd}; tell them apart with --map (match: '*VALUE*'), or "
                f"name under 'differ' what makes no other model"
            )


def _named(run: Run) -> dict[str, str]:
    return {"model name": run.model} | run.identity


def _but(known: Mapping[str, str], left: Sequence[str]) -> dict[str, str]:
    return {k: v for k, v in known.items() if k not in left}


def _no_copy(run: Run, place: Placement, copies: Copies) -> list[str]:
    """One evaluation under two seeds would pass for two runs that agree. Raises InputError.

    Of the whole run, or of one task whose answers were logged; under two arms it is noted.
    """
    whole = tuple((a.source, a.outputs or _telling(a.values)) for a in run.tasks)
    wrong = [a for a in run.tasks if a.outputs and min(a.values, default=1) < 1]
    found = [whole] if whole and all(told for _, told in whole) else []
    found += [((a.source, a.outputs),) for a in wrong]
    notes = []
    for answers in found:
        arms = copies.setdefault(answers, {})
        seed, other = arms.setdefault(place.arm, (place.seeds[0], run))
        if seed != place.seeds[0]:
            which = "" if answers == whole else f" to task {answers[0][0]!r}"
            raise InputError(
                f"import: {other.origin} and {run.origin} hold the same answers{which} under seeds "
                f"{seed} and {place.seeds[0]} of arm {place.arm!r}: one run, copied; name each "
                f"seed's own, or, for an untrained model, map one of them with a list of seeds"
            )
        arm, (_, first) = next(iter(arms.items()))
        if arm != place.arm:
            notes.append(
                f"{first.origin} and {run.origin} hold the same answers, as arms {arm!r} and "
                f"{place.arm!r}; is it one model?"
            )
    return notes


def _alike(arms: Sequence[str]) -> list[str]:
    """Arms whose names differ in case, spaces or signs between words only."""
    seen: dict[str, str] = {}
    pairs = [(seen.setdefault(re.sub(r"[\s_-]+", "_", a.lower()), a), a) for a in arms]
    return [
        f"arms {one!r} and {two!r} are two arms; rename one of them if they are not"
        for one, two in pairs
        if one != two
    ]


def _doubts(found: Sequence[Answers]) -> list[str]:
    """Tasks whose samples do not average to the tool's own number, once for all runs."""
    doubts: dict[str, list[str]] = {}
    for answers in found:
        if answers.doubt:
            doubts.setdefault(answers.source, []).append(answers.doubt)
    return [
        f"task {task!r}: in {len(said)} runs the results file does not hold the mean of the "
        f"samples, which count (first: {said[0]}); were both written by one evaluation?"
        for task, said in doubts.items()
    ]


def _telling(values: Sequence[float]) -> str:
    """The values as text, where two runs would hardly agree in all of them; else nothing."""
    right = sum(v > 0.5 for v in values)
    return repr(values) if min(right, len(values) - right) >= FEWEST else ""


def _repeated(scores: ScoreTable, arms: Iterable[str]) -> list[str]:
    """Seeds of these arms whose items agree one by one, where that is no accident."""
    notes = []
    for arm in arms:
        tasks = [t for t in scores.item_metric if scores.seeds(arm, t)]
        known: dict[str, int] = {}
        for seed in sorted({s for t in tasks for s in scores.seeds(arm, t)}):
            values = np.concatenate(
                [scores.cube(arm, t, (seed,))[0] for t in tasks if seed in scores.seeds(arm, t)]
            )
            told = _telling(values.tolist())
            if not told:
                continue
            other = known.setdefault(told, seed)
            if other != seed:
                notes.append(
                    f"arm {arm!r}: seeds {other} and {seed} have the same score in every item; "
                    f"sound for an untrained model only"
                )
    return notes


def _rows(answers: Answers, run_id: str, arm: str, seed: int) -> pa.Table:
    n = len(answers.values)
    same = {"run_id": run_id, "arm": arm, "seed": seed, "task": answers.task}
    columns = {c: pa.repeat(v, n) for c, v in (same | {"metric": answers.metric}).items()}
    columns |= {
        "item_id": pa.array(answers.items, pa.string()),
        "cluster": pa.array(answers.clusters, pa.string()),
        "value": pa.array(answers.values, pa.float64()),
    }
    return typed(pa.table(columns), run_id)


def _compare(
    mine: Answers, run: Run, theirs: Answers, other: Run, differ: Sequence[str]
) -> list[str]:
    """Runs of a task must have answered the same documents, set up alike; prompts are noted."""
    for item, document in mine.documents.items():
        if theirs.documents.get(item, document) != document:
            raise InputError(
                f"import: task {mine.source!r}, item {item!r}: {other.origin} and {run.origin} "
                f"hold different documents; evaluate on the same data"
            )
    for item, target in mine.targets.items():
        if theirs.targets.get(item, target) != target:
            raise InputError(
                f"import: task {mine.source!r}, item {item!r}: {other.origin} and {run.origin} "
                f"hold different right answers; evaluate on the same data"
            )
    if mine.metric != theirs.metric:
        raise InputError(
            f"import: task {mine.source!r}: metric {theirs.metric!r} in {other.origin}, "
            f"{mine.metric!r} in {run.origin}; name one under 'metrics' in the mapping"
        )
    odd = [
        k
        for k in sorted(mine.settings.keys() | theirs.settings.keys())
        if mine.settings.get(k) != theirs.settings.get(k)
    ]
    unlike = [k for k in odd if k not in differ]
    if unlike:
        raise InputError(
            f"import: task {mine.source!r}: {other.origin} and {run.origin} differ in "
            f"{differences(theirs.settings, mine.settings)}; evaluate alike"
            + (
                ""
                if "limit" in unlike
                else f", or, where that belongs to the arms, write 'differ: [{', '.join(unlike)}]' "
                f"into the mapping"
            )
        )
    notes = []
    if run.tool != other.tool:
        odd_tool = differences(other.tool, run.tool)
        notes.append(f"{other.origin} and {run.origin} differ in {odd_tool}")
    if mine.scoring and theirs.scoring and mine.scoring != theirs.scoring:
        notes.append(
            f"task {mine.source!r}: {other.origin} and {run.origin} filter or score answers "
            f"differently (filter_list, metric_list)"
        )
    if mine.prompts == theirs.prompts or odd:
        return notes
    return [
        *notes,
        f"task {mine.source!r}: prompts of {run.origin} differ from those of {other.origin}; "
        f"sound only if that belongs to the arms",
    ]


def _strangers(tasks: Iterable[str], places: Mapping[str, TaskPlace]) -> list[str]:
    unknown = sorted(set(tasks) - set(places))
    if not unknown:
        return []
    return [f"{OUTSIDE}{', '.join(unknown)}; your own laws and `compare` take them as they are"]


def summary(found: Imported, out: Path) -> str:
    """Arms, seeds and items that came in, then the notes, for a terminal."""
    table = check(found.table, "import")
    width = max(len(a) for a in table.arms)
    lines = []
    for arm in table.arms:
        tasks = [t for t in table.item_metric if table.seeds(arm, t)]
        seeds = sorted({s for t in tasks for s in table.seeds(arm, t)})
        items = ", ".join(f"{t} {len(table.items(arm, t)):,}" for t in tasks)
        lines.append(f"{arm:<{width}}  seeds {', '.join(map(str, seeds))}  items: {items}")
    lines += [f"note: {n}" for n in found.notes]
    lines.append(f"{out}: {len(found.table):,} rows; next: lawcheck judge LAW --scores {out}")
    return "\n".join(lines)
