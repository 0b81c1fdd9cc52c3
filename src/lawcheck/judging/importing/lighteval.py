"""Output of lighteval: results_<date>.json, and a Parquet file of details for every task."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from lawcheck.errors import InputError
from lawcheck.files.reading import short
from lawcheck.judging.importing.harness import DATED, part
from lawcheck.judging.importing.placement import ImportMap
from lawcheck.judging.importing.runs import (
    Answers,
    Offer,
    Run,
    choose,
    declared_task,
    named,
    offer,
    same_mean,
    score,
    text,
)
from lawcheck.scores import TaskPlace

# Columns of details before 0.11.
EARLY = ("example", "choices", "gold", "metrics", "predictions")
# A metric's name holds its options, and functions among them their address in that process.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
DETAILS = re.compile(r"details_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\Z")


def is_results(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and "config_general" in content
        and isinstance(content.get("results"), dict)
    )


def lighteval_runs(
    found: list[tuple[Path, dict[str, Any]]],
    outside: Path,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
) -> list[Run]:
    """One run per results file. Raises InputError for missing details or no item scores."""
    runs = []
    for file, content in found:
        match = DATED.match(file.name)
        date = match["date"] if match else ""
        general = part(content, "config_general")
        config = general.get("model_config")
        config = config if isinstance(config, dict) else {}
        model = str(general.get("model_name") or config.get("model_name") or "")
        # <output>/results/<model>/results_<date>.json stands beside <output>/details.
        home = next((p for p in file.parents if p.name == "results"), file.parent)
        details = _details(home.parent if home.name == "results" else home, date)
        notes: list[str] = []
        tasks = []
        left: list[str] = []
        for key in sorted(k for k in content["results"] if k != "all"):
            base = re.sub(r"\|\d+(\|\d+)?\Z", "", key)
            if mapping.leaves_out(base):
                left.append(base)
                continue
            if base.endswith(":_average") or key not in details:
                if not base.endswith(":_average"):
                    raise InputError(
                        f"import {file}: no details of task {key!r}; run lighteval with "
                        f"--save-details, item scores are needed"
                    )
                continue
            tasks.append(_answers(base, key, details[key], content, mapping, places, notes))
        place = home.parent if home.name == "results" else home
        inside = place.resolve()
        label = inside.relative_to(outside) if inside.is_relative_to(outside) else place
        identity = {"model": model}
        for source in (config, general):
            for k in ("revision", "dtype", "subfolder", "model_sha", "model_dtype"):
                if source.get(k):
                    identity[k] = str(source[k])
        runs.append(
            Run(
                origin=str(place),
                labels=(label.as_posix(),),
                model=model,
                also=(str(file),),
                identity=identity,
                tool={"lighteval": str(general.get("lighteval_sha"))},
                tasks=tasks,
                left_out=left,
                notes=notes,
            )
        )
    return runs


def _details(home: Path, date: str) -> dict[str, Path]:
    found = {}
    for file in sorted((home / "details").rglob("*.parquet")):
        match = DETAILS.match(file.stem)
        if match and match["date"] == date:
            found[match["task"]] = file
    return found


def _answers(
    task: str,
    key: str,
    file: Path,
    content: dict[str, Any],
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    notes: list[str],
) -> Answers:
    where = f"import {file}"
    name = named(task, [], mapping, places)
    config = _config(content, key)
    chosen = choose(task, _offers(content, key, config), mapping, declared_task(name), where, notes)
    if chosen.metric.startswith("maj@n:") and "normalize_pred=" in chosen.metric:
        notes.append(f"task {task!r}: lighteval's maj@n compares whole texts, not normalized ones")
    general = part(content, "config_general")
    settings = {
        "num_fewshot": config.get("num_fewshots", key.split("|")[-1]),
        "limit": general.get("max_samples"),
        "task version": config.get("version"),
    }
    model = part(general, "model_config")
    settings |= {k: model.get(k) for k in ("system_prompt", "override_chat_template")}
    generation = part(model, "generation_parameters")
    settings["generation"] = {
        k: v for k, v in sorted(generation.items()) if v is not None and k != "seed"
    } or None
    found = Answers(
        source=task,
        task=name,
        metric=chosen.metric,
        settings={k: str(v) for k, v in settings.items() if v is not None},
    )
    if general.get("max_samples") is not None:
        notes.append(f"task {task!r}: limited to {general['max_samples']} documents")
    rows = _rows(file)
    prefix = "" if name == task else f"{task}/"
    outputs = hashlib.sha256()
    for k, (document, metrics, response) in enumerate(rows):
        item = prefix + text(str(document.get("id") or k))
        metrics = {ADDRESS.sub("", name): value for name, value in metrics.items()}
        if chosen.metric not in metrics:
            raise InputError(f"{where}, row {k + 1}: no metric {chosen.metric!r}; evaluate again")
        found.items.append(item)
        found.clusters.append("")
        found.values.append(score(metrics[chosen.metric], chosen.metric, f"{where}, row {k + 1}"))
        asked = (document.get("query"), document.get("choices"), document.get("gold_index"))
        found.documents[item] = _hash(asked)
        outputs.update(repr(response).encode("utf-8", "backslashreplace"))
    found.outputs = outputs.hexdigest()
    same_mean(found, chosen, False, where)
    return found


def _rows(file: Path) -> list[tuple[dict[str, Any], dict[str, Any], Any]]:
    """Document, metrics and response of every row, in the order of the documents' ids."""
    try:
        with pa.parquet.ParquetFile(file) as details:
            names = set(details.schema_arrow.names)
            early = {"example", "metrics"} <= names
            if not early and not {"doc", "metric"} <= names:
                raise InputError(
                    f"import {file}: columns {', '.join(sorted(names))[:80]}, expected doc and "
                    f"metric; evaluate with lighteval 0.10 or later"
                )
            wanted = EARLY if early else ("doc", "metric", "model_response")
            table = details.read(columns=[c for c in wanted if c in names])
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"import {file}: not a Parquet file ({short(error)})") from None
    rows = []
    seen: Counter[str] = Counter()
    for row in table.to_pylist():
        if not early:
            response = row.get("model_response") or {}
            answer = (response.get("text"), response.get("logprobs"))
            rows.append((row["doc"] or {}, row["metric"] or {}, answer))
            continue
        # Rows had no id, and stand in the order in which they were run.
        document = {"query": row["example"], "choices": row.get("choices")}
        key = _hash((document, row.get("gold")))[:12]
        seen[key] += 1
        document |= {"gold_index": row.get("gold"), "id": f"{key}.{seen[key]}"}
        rows.append((document, row["metrics"] or {}, row.get("predictions")))
    return rows


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()


def _config(content: dict[str, Any], key: str) -> dict[str, Any]:
    tasks = part(content, "config_tasks")
    return part(tasks, key) or part(tasks, key.rpartition("|")[0])


def _offers(content: dict[str, Any], key: str, config: dict[str, Any]) -> list[Offer]:
    listed = config.get("metrics", config.get("metric"))
    about = {
        str(m.get("metric_name")): m
        for m in (listed if isinstance(listed, list) else [])
        if isinstance(m, dict)
    }
    found = []
    for metric, value in part(content, "results", key).items():
        if metric.endswith("_stderr"):
            continue
        said = about.get(metric, {})
        aggregation = said.get("corpus_level_fn")
        found.append(
            offer(
                ADDRESS.sub("", metric),
                "",
                value,
                str(aggregation) if aggregation is not None else None,
                said.get("higher_is_better"),
            )
        )
    return found
