"""Results of evaluation tools below a path, each read by the reader of its tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError
from lawcheck.files.reading import parse_json, read_text
from lawcheck.judging.importing import harness, inspect_logs, lighteval
from lawcheck.judging.importing.placement import ImportMap
from lawcheck.judging.importing.runs import Run
from lawcheck.scores import TaskPlace

KNOWN = "lm-eval, inspect_ai or lighteval"


def runs_below(path: Path, mapping: ImportMap, places: Mapping[str, TaskPlace]) -> list[Run]:
    """Every run below a folder, or of one results file. Raises InputError."""
    if not path.exists():
        raise InputError(f"import {path}: no such file or folder; name an output or a table")
    by_name = path.is_file()
    kinds: dict[str, list[tuple[Path, dict[str, Any]]]] = {"lm": [], "inspect": [], "light": []}
    for file in [path] if by_name else sorted(path.rglob("*")):
        found = _content(file, by_name)
        if found is None:
            continue
        if inspect_logs.is_log(found):
            kinds["inspect"].append((file, found))
        elif lighteval.is_results(found):
            kinds["light"].append((file, found))
        elif harness.is_results(found):
            kinds["lm"].append((file, found))
        elif by_name or harness.DATED.match(file.name):
            lacking = next(
                (k for k in ("results", "configs") if not isinstance(found.get(k), dict)), "results"
            )
            raise InputError(
                f"import {file}: no {lacking!r} inside, not results of {KNOWN}; evaluate again"
            )
    # Folders outside what was named say nothing of its runs.
    outside = (
        path.resolve().parents[2 if by_name else 0] if len(path.resolve().parents) > 2 else path
    )
    runs = [
        *harness.harness_runs(kinds["lm"], outside, mapping, places),
        *inspect_logs.inspect_runs(kinds["inspect"], outside, mapping, places),
        *lighteval.lighteval_runs(kinds["light"], outside, mapping, places),
    ]
    if not runs:
        raise InputError(
            f"import {path}: no results_<date>.json or .eval log of {KNOWN} below; run lm_eval "
            f"with --output_path and --log_samples"
        )
    return runs


def _content(file: Path, by_name: bool) -> dict[str, Any] | None:
    """The object in a file that may hold results; None for any other file."""
    if file.suffix == ".eval" and file.is_file():
        return inspect_logs.read_eval(file)
    dated = harness.DATED.match(file.name) or file.name == "results.json"
    # inspect_ai names its logs by date first: 2026-01-01T00-00-00-00-00_task_id.json.
    if file.suffix != ".json" or not (by_name or dated or file.name[:4].isdigit()):
        if by_name:
            raise InputError(
                f"import {file}: neither .csv, .tsv, .parquet, .eval nor results_<date>.json of "
                f"{KNOWN}; name one"
            )
        return None
    where = f"import {file}"
    try:
        whole = read_text(file, harness.AGAIN, where)
        content = parse_json(whole, where, harness.AGAIN, harness.LENIENT)
    except InputError:
        # A file that only may be results refuses no folder; beside samples it is lm-eval's.
        early = file.name == "results.json" and any(file.parent.glob("*.jsonl"))
        if by_name or early or harness.DATED.match(file.name):
            raise
        return None
    if not isinstance(content, dict):
        if not (by_name or dated):
            return None
        raise InputError(
            f"{where}: found {type(content).__name__}, expected a JSON object; {harness.AGAIN}"
        )
    if isinstance(content, harness.Twice) and (by_name or dated):
        raise InputError(f"{where}: a key stands twice; {harness.AGAIN}")
    return content
