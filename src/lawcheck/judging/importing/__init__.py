"""Results of other tools as a score table: lm-evaluation-harness output, CSV, Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.judging.importing.harness import Answers, HarnessRun, harness_runs
from lawcheck.judging.importing.placement import ImportMap, Placement, Placer, read_map
from lawcheck.judging.importing.tables import read_table
from lawcheck.scores import TaskPlace, check, task_places
from lawcheck.scores.files import typed, write_scores

TABLES = (".csv", ".parquet")

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

    paths: lm-eval output folders or results files, CSV or Parquet tables. arm, seeds: of
    everything that is read, where given. partial: leave out runs without an arm or a seed.

    Raises InputError for unreadable files, runs that cannot be placed (all of them named), two
    runs in one place, and whatever `lawcheck.scores.check` refuses. Nothing is written then.
    """
    mapping = mapping or ImportMap()
    placer = Placer(mapping, arm, tuple(seeds) if seeds is not None else None)
    places = task_places(discovery.disciplines().values())
    runs: list[HarnessRun] = []
    found: list[pa.Table] = []
    lost: list[str] = []
    notes: list[str] = []
    for path in map(Path, paths):
        if path.is_file() and path.suffix.lower() in TABLES:
            table = read_table(path, mapping, placer, places)
            found.append(table.rows)
            lost += table.lost
            notes += table.notes
        else:
            runs += harness_runs(path, mapping, places)
    placed, unplaced, said = _place(runs, placer)
    found += placed
    lost += unplaced
    notes += said
    if lost:
        told = f"without arm or seed: {'; '.join(lost)}"
        if not partial:
            raise InputError(
                f"import: {len(lost)} runs {told}; place them with --map, or skip with --partial"
            )
        notes.append(f"left out, {told}")
    if not any(len(t) for t in found):
        raise InputError("import: no row could be placed; name arms and seeds with --map")
    whole = pa.concat_tables(found).unify_dictionaries()
    checked = check(whole, "import")
    notes += _strangers(checked.item_metric, places)
    write_scores(whole, out)
    return Imported(table=whole, notes=tuple(dict.fromkeys(notes)))


def _place(
    runs: Sequence[HarnessRun], placer: Placer
) -> tuple[list[pa.Table], list[str], list[str]]:
    """Rows of the runs that have a place; names of the others; notes."""
    found: list[pa.Table] = []
    lost: list[str] = []
    notes: list[str] = []
    home: dict[tuple[str, int, str], HarnessRun] = {}
    first: dict[str, tuple[Answers, HarnessRun]] = {}
    for run in runs:
        notes += run.notes
        place = placer.place(run.labels)
        if not isinstance(place, Placement):
            lost.append(f"{run.origin} ({place})")
            continue
        if len(place.seeds) > 1:
            notes.append(
                f"{run.origin}: one evaluation stands for seeds {', '.join(map(str, place.seeds))};"
                f" sound for an untrained model only"
            )
        for answers in run.tasks:
            notes += _compare(answers, run, *first.setdefault(answers.source, (answers, run)))
            for seed in place.seeds:
                other = home.setdefault((place.arm, seed, answers.source), run)
                if other is not run:
                    raise InputError(
                        f"import: {other.origin} and {run.origin} both hold arm {place.arm!r}, "
                        f"seed {seed}, task {answers.source!r}; tell them apart with --map"
                    )
                found.append(_rows(answers, run.origin, place.arm, seed))
    return found, lost, notes


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


def _compare(mine: Answers, run: HarnessRun, theirs: Answers, other: HarnessRun) -> list[str]:
    """Runs of a task must have answered the same documents; other prompts are worth a note."""
    for item, document in mine.documents.items():
        if theirs.documents.get(item, document) != document:
            raise InputError(
                f"import: task {mine.source!r}, item {item!r}: {other.origin} and {run.origin} "
                f"hold different documents; evaluate on the same data"
            )
    if mine.metric != theirs.metric:
        raise InputError(
            f"import: task {mine.source!r}: metric {theirs.metric!r} in {other.origin}, "
            f"{mine.metric!r} in {run.origin}; name one under 'metrics' in the mapping"
        )
    if mine.prompts == theirs.prompts:
        return []
    return [
        f"task {mine.source!r}: prompts of {run.origin} differ from those of {other.origin}; "
        f"sound only if that belongs to the arms"
    ]


def _strangers(tasks: Iterable[str], places: Mapping[str, TaskPlace]) -> list[str]:
    unknown = sorted(set(tasks) - set(places))
    if not unknown:
        return []
    return [
        f"tasks that belong to no discipline: {', '.join(unknown)}; rename them under 'tasks' in "
        f"the mapping, or declare a discipline"
    ]


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
