"""A merge of two model folders, written as a third."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lawcheck
from lawcheck.errors import InputError, nearest
from lawcheck.files.atomic import atomic_folder, json_text
from lawcheck.files.hashing import file_sha256
from lawcheck.files.reading import read_yaml
from lawcheck.files.tensors import INDEX, SINGLE, header, shards
from lawcheck.methods import merging
from lawcheck.methods.model_folders import TAKEN, ModelFolder, compare

SHARD = 5_000_000_000  # bytes of a file of weights, as save_pretrained and mergekit write them
CARD = "README.md"
KEYS = ("attention", "mlp", "rest")


def read_schedule(given: str) -> tuple[str, merging.Schedule]:
    """A schedule of our own by its name, or the one in a YAML file, under the file's name.

    Raises InputError.
    """
    path = Path(given)
    if given in merging.SCHEDULES:
        return given, merging.SCHEDULES[given]
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"schedule {given!r}: unknown; {nearest(given, merging.SCHEDULES)}, or name a YAML "
            f"file with attention and mlp"
        )
    step = "write attention: [0, 1], mlp: [1, 0] and, if not 0.5, rest: 0.5"
    found = read_yaml(path, step, f"schedule {given}")
    if not isinstance(found, dict) or not {"attention", "mlp"} <= found.keys() <= set(KEYS):
        keys = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
        raise InputError(f"schedule {given}: found {keys}, expected attention and mlp; {step}")
    values = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in found.items()}
    rest = values.pop("rest", (0.5,))
    if len(rest) != 1:
        raise InputError(f"schedule {given}: rest has {len(rest)} values, expected one; {step}")
    return path.name, merging.Schedule(**values, rest=rest[0])


def merge_folders(
    first: Path, second: Path, out: Path, schedule: str, method: merging.Branch = "slerp"
) -> tuple[dict[str, Any], list[str]]:
    """Merge two models into a new folder; return its record and notes.

    first: at t = 0; configuration and tokenizer are its own. second: at t = 1. Tensors are read,
    joined and written in pieces, in float32, and kept in the precision of the parents. Nothing is
    left in `out` unless all of it is. Raises InputError for parents that do not fit each other, a
    folder that holds something already, and too little disk space.
    """
    name, chosen = read_schedule(schedule)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"output {str(out)!r}: is there and not empty; name another folder")
    parents = ModelFolder(first), ModelFolder(second)
    notes = compare(*parents)
    tensors = parents[0].tensors
    layers = parents[0].layers
    longest = max(len(chosen.attention), len(chosen.mlp))
    if layers < longest:
        notes.append(f"{layers} layers do not reach all {longest} values of schedule {name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    _require_space(out, sum(t.size for t in tensors.values()))
    # SHA-256 lets go of the interpreter: read once from the disk, hashed beside the merge.
    with atomic_folder(out) as part, ThreadPoolExecutor(1) as pool:
        hashes = [{f: pool.submit(file_sha256, p.path / f) for f in _files(p)} for p in parents]
        try:
            entries = _write(part, parents, chosen, method)
            for file in TAKEN:
                if (first / file).is_file():
                    shutil.copyfile(first / file, part / file)
            more = first / "additional_chat_templates"
            if more.is_dir():
                shutil.copytree(more, part / more.name)
            found = {
                "lawcheck": lawcheck.__version__,
                **merging.record(method, _described(name, chosen), entries),
                "parents": [
                    {
                        "folder": p.path.resolve().name,
                        "sha256": {f: h.result() for f, h in own.items()},
                    }
                    for p, own in zip(parents, hashes, strict=True)
                ],
                "notes": notes,
            }
        finally:
            pool.shutdown(cancel_futures=True)
        (part / merging.RECORD).write_text(json_text(found), encoding="utf-8")
        (part / CARD).write_text(card(found), encoding="utf-8")
    return found, notes


def _described(name: str, schedule: merging.Schedule) -> dict[str, Any]:
    return {
        "name": name,
        "attention": list(schedule.attention),
        "mlp": list(schedule.mlp),
        "rest": schedule.rest,
    }


def _files(model: ModelFolder) -> list[str]:
    """What a merge of the model depends on."""
    weights = {t.file.name for t in model.tensors.values()}
    return sorted(weights) + [f for f in TAKEN if (model.path / f).is_file()]


def _require_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise InputError(
            f"output {str(out)!r}: {free / 1e9:.1f} GB of disk space free, the merge takes "
            f"{needed / 1e9:.1f} GB; name a folder on another disk"
        )


def _write(
    folder: Path,
    parents: tuple[ModelFolder, ModelFolder],
    schedule: merging.Schedule,
    method: merging.Branch,
) -> dict[str, dict[str, Any]]:
    """The weights, in one file or shards with an index; what is recorded of each tensor."""
    one, two = (p.tensors for p in parents)
    # In the order of the first parent's files, so that both are read from end to end.
    one = dict(sorted(one.items(), key=lambda item: (item[1].file.name, item[1].start)))
    split = shards(one, SHARD)
    names = [_shard(k, len(split)) for k in range(len(split))]
    made = merging.merged(one, two, schedule, method)
    entries: dict[str, dict[str, Any]] = {}
    for name, inside in zip(names, split, strict=True):
        with (folder / name).open("wb") as stream:
            stream.write(header({n: one[n] for n in inside}))
            for _ in inside:
                tensor = next(made)
                for values in tensor.values:
                    stream.write(merging.as_stored(values, tensor.dtype).data)
                entries[tensor.name] = tensor.entry
    if len(split) > 1:
        places = {n: name for name, inside in zip(names, split, strict=True) for n in inside}
        total = sum(t.size for t in one.values())
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / INDEX).write_text(json_text(index), encoding="utf-8")
    return entries


def _shard(k: int, count: int) -> str:
    return SINGLE if count == 1 else f"model-{k + 1:05d}-of-{count:05d}.safetensors"


def summary(record: dict[str, Any]) -> list[str]:
    """What happened to the tensors, in two lines."""
    tensors = record["tensors"].values()
    branches = Counter(t["branch"] for t in tensors)
    cosines = [t["cosine"] for t in tensors if t["cosine"] is not None]
    spread = f"{min(cosines):.4f} to {max(cosines):.4f}, median {statistics.median(cosines):.4f}"
    counted = " and ".join(f"{n} by {b}" for b, n in sorted(branches.items(), reverse=True))
    threshold = f" (lerp where |cos| > {merging.PARALLEL})" if record["method"] == "slerp" else ""
    return [
        f"{len(tensors)} tensors, {counted}{threshold}",
        f"cosines of the parents' tensors {spread}",
    ]


def card(record: dict[str, Any]) -> str:
    """The model card: parents, their files' hashes, schedule and what happened to the tensors."""
    schedule = record["schedule"]
    values = "\n".join(f"| {k} | {schedule[k]} |" for k in KEYS)
    parents = "\n".join(
        f"- t = {t}: `{p['folder']}`\n"
        + "\n".join(f"  - `{f}` {h}" for f, h in p["sha256"].items())
        for t, p in enumerate(record["parents"])
    )
    lines = "\n".join(f"- {line}" for line in [*summary(record), *record["notes"]])
    return f"""---
library_name: transformers
tags: [merge, {record["method"]}]
---
# {record["method"].upper()} merge

Made by lawcheck {record["lawcheck"]}, schedule `{schedule["name"]}`; `{merging.RECORD}` holds t,
cosine and branch of every tensor. Configuration and tokenizer are those of t = 0. SHA-256:

{parents}

| module | t, from the first layer to the last |
|---|---|
{values}

{lines}
"""
