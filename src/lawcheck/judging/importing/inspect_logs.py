"""Logs of inspect_ai: `.eval`, a zip file, and `.json`; scores as its own metrics took them."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from lawcheck.errors import InputError
from lawcheck.files.reading import parse_json, short
from lawcheck.judging.importing.harness import AGAIN, LENIENT, part
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

ZSTANDARD = 93  # zip's number of a compression that Python's zipfile does not open


GRADES = {"c": 1, "i": 0, "p": 0.5, "n": 0, "yes": 1, "true": 1, "no": 0, "false": 0}


def is_log(content: Any) -> bool:
    return (
        isinstance(content, dict) and "status" in content and isinstance(content.get("eval"), dict)
    )


def read_eval(file: Path) -> dict[str, Any]:
    """A `.eval` file with the content that a `.json` log has. Raises InputError."""
    where = f"import {file}"
    try:
        with zipfile.ZipFile(file) as archive, file.open("rb") as raw:
            names = set(archive.namelist())
            if "header.json" not in names:
                raise InputError(
                    f"{where}: no header inside, the evaluation has not ended; {AGAIN}"
                )

            def member(name: str) -> Any:
                found = _unpacked(archive.getinfo(name), archive, raw)
                return parse_json(found.decode(), where, AGAIN, LENIENT)

            content = member("header.json")
            for key, name in (("reductions", "reductions.json"), ("samples", "summaries.json")):
                if name in names:
                    content[key] = member(name)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, struct.error) as error:
        raise InputError(f"{where}: not a log of inspect_ai ({short(error)}); {AGAIN}") from None
    return content


def _unpacked(info: zipfile.ZipInfo, archive: zipfile.ZipFile, raw: Any) -> bytes:
    if info.compress_type != ZSTANDARD:
        return archive.read(info)
    raw.seek(info.header_offset)
    name, extra = struct.unpack("<26xHH", raw.read(30))
    raw.seek(name + extra, 1)
    packed = raw.read(info.compress_size)
    return pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read()


def inspect_runs(
    found: list[tuple[Path, dict[str, Any]]],
    outside: Path,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
) -> list[Run]:
    """Runs of logs, one per folder and model; of a task evaluated again the latest log counts.

    Raises InputError for a log that did not succeed, has no scores, or scores outside [0, 1].
    """
    groups: dict[tuple[Path, str], dict[str, tuple[Path, dict[str, Any]]]] = {}
    notes: dict[tuple[Path, str], list[str]] = {}
    for file, log in sorted(found, key=lambda f: str(part(f[1], "eval").get("created"))):
        if log["status"] != "success":
            raise InputError(
                f"import {file}: status {str(log['status'])[:20]!r}, expected 'success'; finish "
                f"the evaluation or leave the log out"
            )
        header = part(log, "eval")
        key = (file.parent, json.dumps(_identity(header), sort_keys=True))
        task = str(header.get("task"))
        said = notes.setdefault(key, [])
        if task in groups.setdefault(key, {}):
            said.append(f"{file.parent}: task {task!r} was evaluated again, the latest log counts")
        groups[key][task] = (file, log)
    runs = []
    for (folder, _), tasks in groups.items():
        said = notes[folder, _]
        file, log = next(iter(tasks.values()))
        header = part(log, "eval")
        identity = _identity(header)
        inside = folder.resolve()
        label = inside.relative_to(outside) if inside.is_relative_to(outside) else folder
        runs.append(
            Run(
                origin=str(folder),
                labels=(label.as_posix(),),
                model=str(header.get("model", "")),
                also=(str(folder), *(str(f) for f, _ in tasks.values())),
                identity=identity,
                tool={"inspect_ai": str(part(header, "packages").get("inspect_ai"))},
                tasks=[
                    _answers(name, *of, mapping, places, said)
                    for name, of in sorted(tasks.items())
                    if not mapping.leaves_out(name)
                ],
                left_out=[name for name in tasks if mapping.leaves_out(name)],
                notes=said,
            )
        )
    return runs


def _identity(header: dict[str, Any]) -> dict[str, str]:
    found = {k: header.get(k) for k in ("model", "model_base_url", "model_args")}
    return {k: json.dumps(v, sort_keys=True) for k, v in found.items() if v}


def _answers(
    task: str,
    file: Path,
    log: dict[str, Any],
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    notes: list[str],
) -> Answers:
    where = f"import {file}"
    header = part(log, "eval")
    name = named(task, [], mapping, places)
    offers, entries = _offers(log)
    chosen = choose(task, offers, mapping, declared_task(name), where, notes)
    scorer = entries[chosen]
    rows = _reduced(log, scorer, chosen.variant, where)
    config = part(header, "config")
    settings = {
        "limit": config.get("limit"),
        "epochs": config.get("epochs"),
        "task version": header.get("task_version"),
        "task arguments": header.get("task_args_passed", header.get("task_args")) or None,
        "model roles": header.get("model_roles") or None,
        "generation": {
            k: v for k, v in part(header, "model_generate_config").items() if k != "seed"
        }
        or None,
    }
    found = Answers(
        source=task,
        task=name,
        metric=chosen.metric,
        settings={k: json.dumps(v, sort_keys=True) for k, v in settings.items() if v is not None},
    )
    asked = json.dumps(part(log, "plan").get("steps"), sort_keys=True)
    found.prompts = hashlib.sha256(asked.encode("utf-8", "backslashreplace")).hexdigest()
    if not chosen.averaged:
        notes.append(
            f"task {task!r}: the log reports no mean of {chosen.name}; scores of samples are read"
        )
    if chosen.variant not in ("", "mean"):
        notes.append(f"task {task!r}: epochs are reduced by {chosen.variant}")
    if config.get("limit") is not None:
        notes.append(f"{file.parent}: task {task!r}: limited to {config['limit']} samples")
    if scorer == "match" and (longer := _longer_than_compared(log)):
        notes.append(
            f"{file.parent}: task {task!r}: match(numeric=True) compares five significant digits, "
            f"and {longer} targets have more"
        )
    prefix = "" if name == task else f"{task}/"
    for row in rows:
        value = row.get("value")
        if isinstance(value, dict):
            value = value.get(chosen.metric)
        item = prefix + text(str(row.get("sample_id")))
        found.items.append(item)
        found.clusters.append("")
        found.values.append(score(value, chosen.name, f"{where}, sample {row.get('sample_id')!r}"))
    _describe(found, log, prefix)
    same_mean(found, chosen, False, where)
    total = part(log, "results").get("total_samples", 0)
    epochs = config.get("epochs") or 1
    if isinstance(total, int) and len(rows) * epochs != total:
        notes.append(
            f"{file.parent}: task {task!r}: {total // epochs - len(rows)} of {total // epochs} "
            f"samples have no score"
        )
    return found


def _offers(log: dict[str, Any]) -> tuple[list[Offer], dict[Offer, str]]:
    """Scores in the order of the log, and the scorer behind each."""
    found: dict[Offer, str] = {}
    scores = part(log, "results").get("scores")
    for entry in scores if isinstance(scores, list) else []:
        metrics = part(entry, "metrics")
        mean = next((m for m in ("accuracy", "mean") if m in metrics), None)
        value = part(metrics, mean).get("value") if mean else None
        made = offer(
            str(entry.get("name")),
            str(entry.get("reducer") or ""),
            value,
            "mean" if mean else None,
        )
        found[made] = str(entry.get("scorer"))
    return list(found), found


def _longer_than_compared(log: dict[str, Any]) -> str:
    """Samples whose target is a number that five significant digits do not hold, of all.

    Empty where there are none, or `match` is not numeric. A wrong answer that agrees in them is
    correct.
    """
    scores = part(log, "results").get("scores")
    scores = scores if isinstance(scores, list) else []
    if not any(e.get("scorer") == "match" and part(e, "params").get("numeric") for e in scores):
        return ""
    samples = log.get("samples")
    samples = samples if isinstance(samples, list) else []
    targets = {str(s.get("id")): s.get("target") for s in samples}  # once for all epochs
    longer = 0
    for target in targets.values():
        texts = map(str, target if isinstance(target, list) else [target])
        numbers = [_number(t.strip().replace(",", "").lstrip("$€£")) for t in texts]
        # Not a number compares false with all.
        longer += any(isinstance(n, float) and abs(n - float(f"{n:.5g}")) > 0 for n in numbers)
    return f"{longer} of {len(targets)}" if longer else ""


def _reduced(log: dict[str, Any], scorer: str, reducer: str, where: str) -> list[dict[str, Any]]:
    """Value and sample_id of every scored sample, epochs taken together."""
    reductions = log.get("reductions") or part(log, "results").get("sample_reductions")
    for entry in reductions if isinstance(reductions, list) else []:
        if entry.get("scorer") == scorer and str(entry.get("reducer") or "") == reducer:
            return [row for row in entry["samples"] if isinstance(row, dict)]
    # Early versions reduced nothing where there was one epoch.
    samples = log.get("samples")
    rows = []
    for sample in samples if isinstance(samples, list) and not reducer else []:
        given = part(sample, "scores", scorer)
        if "value" in given:
            value = given["value"]
            if isinstance(value, dict):
                value = {k: _number(v) for k, v in value.items()}
            rows.append({"sample_id": sample.get("id"), "value": _number(value)})
    if not rows:
        raise InputError(
            f"{where}: no scores of samples, only results; {AGAIN} with inspect_ai's --log-samples"
        )
    return rows


def _number(value: Any) -> Any:
    """A score as inspect_ai's `value_to_float` takes it."""
    if not isinstance(value, str):
        return value
    try:
        return GRADES[value.lower()] if value.lower() in GRADES else float(value)
    except ValueError:
        return value


def _describe(found: Answers, log: dict[str, Any], prefix: str) -> None:
    """Hash of each sample's question, and of all answers."""
    outputs = hashlib.sha256()
    answers = False
    samples = log.get("samples")
    for sample in samples if isinstance(samples, list) else []:
        item = prefix + text(str(sample.get("id")))
        asked = repr((sample.get("input"), sample.get("target")))
        found.documents[item] = hashlib.sha256(
            asked.encode("utf-8", "backslashreplace")
        ).hexdigest()
        for given in part(sample, "scores").values():
            answer = given.get("answer") if isinstance(given, dict) else None
            answers |= answer is not None
            outputs.update(repr(answer).encode("utf-8", "backslashreplace"))
    found.outputs = outputs.hexdigest() if answers else ""
