"""Task files over a local data folder: small files that include the definitions and name the rows.

Nothing of lm-evaluation-harness is copied: a written file includes the definition of the installed
package, or ours, by its path, and overrides where its rows come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

import lawcheck.disciplines
from lawcheck.corpus.folder import write_rows
from lawcheck.corpus.real.files import Row
from lawcheck.corpus.real.harness import definition_path
from lawcheck.corpus.real.rows import fold, tidy
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.staging import staged
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline
from lawcheck.errors import InputError
from lawcheck.evaluation.benchmarks.documents import repeated
from lawcheck.files.atomic import atomic_folder

WORLD = "paper"
_IFEVAL = """\
process_results: !function lawcheck.evaluation.benchmarks.ifeval.process_results
metric_list:
"""
_SCORED = """\
  - metric: {metric}
    aggregation: !function lawcheck.evaluation.benchmarks.ifeval.{mean}
    higher_is_better: true
"""


def task_folder() -> Path:
    """The folder for `lm_eval --include_path`: every task of ours lies below it."""
    return Path(next(iter(lawcheck.disciplines.__path__)))


def declared_tasks() -> list[dict[str, Any]]:
    """The paper's tasks in table order, with the settings that their scores depend on."""
    return [
        {
            "task": task.name,
            "discipline": d.name,
            "metric": task.metric,
            "version": task.version,
            "chance": task.chance,
            "output": task.output,
        }
        for d in discovery.disciplines().values()
        if WORLD in d.worlds
        for task in d.worlds[WORLD].tasks
    ]


def local_items(data: Path) -> dict[str, list[Row]]:
    """Task -> documents, of the data sets that are staged below the folder.

    Raises InputError where there is none, and for a malformed file.
    """
    found: dict[str, list[Row]] = {}
    for data_set, read in _evaluation():
        if staged(data_set, data):
            for row in read(data_set, data):
                found.setdefault(row["task"], []).append(row)
    if not found:
        raise InputError(
            f"data folder {str(data)!r}: found no evaluation set in it, expected gsm8k/, mmlu/ or "
            f"others with the files of their release (docs/paper-evaluation.md)"
        )
    return found


def report(data: Path) -> list[dict[str, Any]]:
    """Per task of the folder: items, different questions, repeated and contradictory ones.

    contradictory: questions that occur with more than one gold answer, so that no model can get
    all their copies right. GeoBench's prose is compared without case and punctuation.
    """
    lines = []
    for task, rows in local_items(data).items():
        line: dict[str, Any] = {"task": task, "items": len(rows)}
        if "choices" in rows[0]:
            again = repeated(rows, fold if task.startswith("geobench_") else tidy)
            line["questions"] = len(rows) - sum(r["copies"] - 1 for r in again)
            line["repeated"] = len(again)
            line["contradictory"] = sum(r["answers"] > 1 for r in again)
        lines.append(line)
    return lines


def write_tasks(data: Path, out: Path) -> list[str]:
    """Write task files over the folder's rows into `out`; return the names to run.

    Tasks keep their names, so that scores read alike. They are asked without worked examples, as
    at the paper's scale. An earlier folder of task files is replaced. Raises InputError as
    `local_items` does, and for a folder that holds anything else.
    """
    other = (
        [p.name for p in out.iterdir() if p.suffix not in (".yaml", ".jsonl")]
        if (out.is_dir())
        else []
    )
    if other or out.is_file():
        raise InputError(
            f"task folder {str(out)!r}: holds {(other or [out.name])[0]!r}, expected a new folder "
            f"or one of task files, since it is replaced; name another"
        )
    items = local_items(data)
    names = []
    with atomic_folder(out) as part:
        for task, rows in items.items():
            if task == "mmlu":
                names.append(task)
                for subject, own in _by_subject(rows).items():
                    path = definition_path(task).parent / f"mmlu_{subject}.yaml"
                    _write(part, out, f"mmlu_{subject}", path, own)
            else:
                names.append(task)
                _write(part, out, task, _definition(task), rows)
        for path in sorted(task_folder().glob("*/tasks/*/*.yaml")):
            group = yaml.safe_load(path.read_text(encoding="utf-8")) if _is_group(path) else {}
            if group and set(group["task"]) <= set(items):
                names.append(group["group"])
                _dump(part / f"{group['group']}.yaml", {"include": str(path)})
    return names


def _write(part: Path, out: Path, task: str, definition: Path, rows: Sequence[Row]) -> None:
    write_rows(part / f"{task}.jsonl", rows)
    config = {
        "include": str(definition),
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(out.resolve() / f"{task}.jsonl")}},
        "training_split": None,
        "validation_split": None,
        "test_split": "test",
        "fewshot_split": None,
        "fewshot_config": None,
        "num_fewshot": 0,
    }
    more = ""
    if task == "ifeval":
        more = _IFEVAL + "".join(
            _SCORED.format(metric=f"{level}_level_{kind}_acc", mean=mean)
            for kind in ("strict", "loose")
            for level, mean in (("prompt", "scored_mean"), ("inst", "scored_mean_of_lists"))
        )
    _dump(part / f"{task}.yaml", config, more)


def _dump(path: Path, config: Mapping[str, Any], more: str = "") -> None:
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False) + more, encoding="utf-8")


def _definition(task: str) -> Path:
    for pattern in (f"*/tasks/{task}.yaml", f"*/tasks/*/{task}.yaml"):
        for path in task_folder().glob(pattern):
            return path
    return definition_path(task)


def _is_group(path: Path) -> bool:
    # Task files hold tags that plain YAML does not know; groups hold none.
    return "\ngroup: " in "\n" + path.read_text(encoding="utf-8")


def _by_subject(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["subject"].replace(" ", "_"), []).append(row)
    return found


def _evaluation() -> Iterator[tuple[DataSet, Any]]:
    declared: list[Discipline] = [d for d in discovery.disciplines().values() if WORLD in d.worlds]
    for d in declared:
        source = import_module(d.worlds[WORLD].source).SOURCE
        yield from source.evaluation.items()
