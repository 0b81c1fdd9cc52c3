"""Output folders of lm-evaluation-harness 0.4: results_<date>.json, samples_<task>_<date>.jsonl."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import EvalTask
from lawcheck.errors import InputError
from lawcheck.files.reading import MEASURED, parse_json, read_object, read_text
from lawcheck.judging.importing.placement import ImportMap
from lawcheck.scores import TaskPlace

AGAIN = "evaluate again"

# `--output_path x.json` writes x_<date>.json instead of results_<date>.json.
RESULTS = re.compile(r".+_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json\Z")


@dataclass(kw_only=True)
class Answers:
    """Item scores of one run on one harness task, in equal-length lists.

    source: the harness's task; task: its name in the score table. documents: item -> hash of the
    question as the harness read it. prompts: digest of all prompts.
    """

    source: str
    task: str
    metric: str
    items: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    prompts: str = ""


@dataclass(kw_only=True)
class HarnessRun:
    """One model's results in one folder. labels: names that may tell arm and seed."""

    origin: str
    labels: tuple[str, ...]
    tasks: list[Answers]
    notes: list[str]


def harness_runs(
    path: Path, mapping: ImportMap, places: Mapping[str, TaskPlace]
) -> list[HarnessRun]:
    """Every run below a folder, or of one results file; a task's latest evaluation counts.

    Raises InputError for a path without results, broken JSON, missing samples, values outside
    [0, 1].
    """
    if not path.exists():
        raise InputError(f"import {path}: no such file or folder; name lm-eval output or a table")
    if path.is_file() and not RESULTS.match(path.name):
        raise InputError(
            f"import {path}: neither .csv, .parquet nor results_<date>.json of lm-eval; name one"
        )
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    found: dict[tuple[Path, str], list[tuple[str, Path, dict[str, Any]]]] = {}
    for file in files:
        match = RESULTS.match(file.name)
        if match is None:
            continue
        results = _results(file)
        key = (file.parent, str(results.get("model_name")))
        found.setdefault(key, []).append((match["date"], file, results))
    if not found:
        raise InputError(
            f"import {path}: no results_<date>.json below; run lm_eval with --output_path and "
            f"--log_samples"
        )
    # Folders outside what was named say nothing of its runs.
    outside = path.resolve().parents[2 if path.is_file() else 0]
    return [
        _run(folder, outside, model, sorted(dated, key=lambda d: d[0]), mapping, places)
        for (folder, model), dated in found.items()
    ]


def _results(file: Path) -> dict[str, Any]:
    results = read_object(file, AGAIN, f"import {file}", decoder=MEASURED)
    for key in ("results", "configs"):
        if not isinstance(results.get(key), dict):
            raise InputError(
                f"import {file}: no {key!r} inside, not results of lm-eval 0.4; evaluate again"
            )
    return results


def _run(
    folder: Path,
    outside: Path,
    model: str,
    dated: list[tuple[str, Path, dict[str, Any]]],
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
) -> HarnessRun:
    latest = {task: entry for entry in dated for task in entry[2]["configs"]}
    notes = [
        f"{folder}: task {task!r} was evaluated {n} times, the latest counts"
        for task in latest
        if (n := sum(task in entry[2]["configs"] for entry in dated)) > 1
    ]
    tasks = []
    for task, (date, _, results) in sorted(latest.items()):
        tasks.append(
            _answers(folder / f"samples_{task}_{date}.jsonl", task, results, mapping, places, notes)
        )
    # The last folder is the model's name with other signs, unless the user named the file.
    safe = re.sub(r'["<>:/|\\?*\[\]]+', "__", model)
    named = folder.parent if folder.name == safe else folder
    inside = named.resolve()
    label = inside.relative_to(outside) if inside.is_relative_to(outside) else named
    return HarnessRun(
        origin=str(folder), labels=(model, label.as_posix()), tasks=tasks, notes=notes
    )


def _answers(
    file: Path,
    task: str,
    results: dict[str, Any],
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    notes: list[str],
) -> Answers:
    name = mapping.task(task)
    if name == task and task not in places:
        # A group such as mmlu is the declared task, its subtasks are what was run.
        name = next((g for g in _groups(task, results) if g in places), task)
    declared = _declared(name)
    metric, chosen = _metric(task, results, mapping, declared, file, notes)
    found = Answers(source=task, task=name, metric=metric)
    samples = [
        (line, s) for line, s in _samples(file) if s.get("filter", "none") == (chosen or "none")
    ]
    expected = _mapping(results, "n-samples", task).get("effective")
    if not samples or expected not in (None, len(samples)):
        raise InputError(
            f"import {file}: {len(samples)} samples of filter {chosen!r}, expected "
            f"{expected or 'some'}; copy the whole file or evaluate again"
        )
    ids = _ids([s for _, s in samples])
    prefix = "" if name == task else f"{task}/"
    whole = hashlib.sha256()
    for (line, sample), item in zip(samples, ids, strict=True):
        item = prefix + item
        if metric not in sample:
            raise InputError(
                f"import {file}, line {line}: no metric {metric!r}, found "
                f"{', '.join(map(str, sample.get('metrics', [])))}; name one in the mapping"
            )
        document = sample.get("doc")
        cluster = ""
        if declared and declared.cluster and isinstance(document, dict):
            cluster = str(document.get(declared.cluster, ""))
        given = sample[metric]
        several = isinstance(given, list)
        for k, value in enumerate(given if several else [given]):
            found.items.append(f"{item}/{k}" if several else item)
            found.clusters.append(cluster or item if several else cluster)
            found.values.append(_value(value, metric, file, line))
        found.documents[item] = str(sample.get("doc_hash", ""))
        whole.update(str(sample.get("prompt_hash", "")).encode())
    found.prompts = whole.hexdigest()
    return found


def _groups(task: str, results: dict[str, Any]) -> list[str]:
    """Groups that hold a task, the innermost first."""
    members = _mapping(results, "group_subtasks")
    found: list[str] = []
    inside = [task]
    while inside:
        inside = [
            g
            for g, tasks in members.items()
            if g not in found and isinstance(tasks, list) and set(inside) & set(map(str, tasks))
        ]
        found += inside
    return found


def _declared(task: str) -> EvalTask | None:
    """The declaration of a task, if any discipline has one."""
    for discipline in discovery.disciplines().values():
        for world in discipline.worlds.values():
            for declared in world.tasks:
                if declared.name == task:
                    return declared
    return None


def _metric(
    task: str,
    results: dict[str, Any],
    mapping: ImportMap,
    declared: EvalTask | None,
    file: Path,
    notes: list[str],
) -> tuple[str, str]:
    """Metric and filter: the mapping's, the declared one, or the first that the harness lists."""
    keys = [k.partition(",") for k in _mapping(results, "results", task) if "," in k]
    offered = [(m, f) for m, _, f in keys if not m.endswith("_stderr")]
    if not offered:
        raise InputError(f"import {file}: results hold no metric of task {task!r}; evaluate again")
    wanted = mapping.metrics.get(task) or (declared.metric if declared else "")
    metric, _, filter_ = wanted.partition(",")
    fitting = [(m, f) for m, f in offered if metric in ("", m) and filter_ in ("", f)]
    if not fitting:
        known = ", ".join(",".join(o) for o in offered)
        raise InputError(
            f"import {file}: task {task!r} has no metric {wanted!r}, found {known}; name one "
            f"under 'metrics' in the mapping"
        )
    if len(fitting) > 1 or not wanted:
        others = [",".join(o) for o in offered if o != fitting[0]]
        if others:
            notes.append(
                f"task {task!r}: metric {','.join(fitting[0])} is read, not {', '.join(others)}"
            )
    return fitting[0]


def _samples(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line."""
    if not file.is_file():
        raise InputError(
            f"import {file}: no such file; run lm_eval with --log_samples, item scores are needed"
        )
    # Texts may hold U+2028 or a lone CR: lines end in LF alone.
    text = read_text(file, AGAIN, f"import {file}").removesuffix("\n")
    for number, line in enumerate(text.split("\n") if text else (), 1):
        where = f"import {file}, line {number}"
        sample = parse_json(line, where, AGAIN, MEASURED)
        if not isinstance(sample, dict) or "doc_id" not in sample:
            raise InputError(f"{where}: not a sample of lm-eval 0.4 (no doc_id); {AGAIN}")
        yield number, sample


def _ids(samples: list[dict[str, Any]]) -> list[str]:
    """The documents' own ids where every one has its own, else their places in the data set."""
    own = [s["doc"].get("id") if isinstance(s.get("doc"), dict) else None for s in samples]
    if all(isinstance(o, str | int) for o in own) and len(set(map(str, own))) == len(own):
        return [str(o) for o in own]
    return [str(s["doc_id"]) for s in samples]


def _value(value: Any, metric: str, file: Path, line: int) -> float:
    if value is None:
        return math.nan
    # NaN compares false with everything, itself too.
    if not isinstance(value, bool | int | float) or (value == value and not 0 <= value <= 1):
        raise InputError(
            f"import {file}, line {line}: {metric} {str(value)[:40]}, expected 0 to 1; "
            f"name another metric under 'metrics' in the mapping"
        )
    return float(value)


def _mapping(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The object under nested keys; empty where there is none."""
    for key in keys:
        value = data.get(key)
        data = value if isinstance(value, dict) else {}
    return data
