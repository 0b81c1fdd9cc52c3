"""Kinds of file that benchmarks/fuzz.py damages: what a user writes or downloads."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from fuzz_damage import columns, damaged, structured

from lawcheck.__main__ import main as command_line
from lawcheck.corpus.build import read_rows
from lawcheck.corpus.real.files import read_jsonl
from lawcheck.corpus.shards import SCHEMA, Shards
from lawcheck.corpus.sources.locking import read_lock
from lawcheck.corpus.sources.reading import rows_of
from lawcheck.declare import discovery
from lawcheck.errors import InputError, one_line
from lawcheck.files.reading import read_object
from lawcheck.files.refusals import one_voice
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.planning.accelerators import load_accelerator
from lawcheck.planning.shipped import read_record as read_base
from lawcheck.training.record import read_record

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference" / "proxy"

LAW = """
from lawcheck.declare.design import Arm, Hypothesis, Law, difference
OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")
LAW = Law(name="ours_wins", title="T", claim="ours wins", source="our question",
          base=Arm(method="untrained"), hypotheses=(Hypothesis(name="gain", role="primary",
          claim="more", estimand=difference((OURS,), (THEIRS,)), alternative="greater",
          sesoi=1.0, alpha=0.05, min_seeds=3),))
"""
SCALE = """extends: smoke
title: small
seeds: [0, 1]
corpus: {size: 1/3000, general_pool: 10}
adapter: {rank: 4, dropout: 0.05}
training: {batch_size: 8, epochs: 1, max_length: 64}
evaluation: {items: 6, tune_items: 0}
hardware: {micro_batch: 4, runs_per_job: 20}
"""
MAP = """runs:
  - {match: "ours-s0", arm: ours, seed: 0}
tasks: {sums: math}
columns: {item_id: item, value: score}
percent: false
"""
JSON_ROWS = "".join(
    json.dumps({"id": f"r{k}", "question": f"What is {k}?", "answer": "β\u2028" * k}) + "\n"
    for k in range(6)
)
ROWS = [
    (arm, seed, task, f"q{item}", (item * 7 + seed * 3 + len(arm)) % 10 / 10)
    for arm in ("ours", "theirs")
    for seed in range(3)
    for task in ("math", "biology")
    for item in range(6)
]
HEAD = "arm,seed,task,item_id,value\n"
SCORES = HEAD + "".join(",".join(map(str, row)) + "\n" for row in ROWS)


@dataclass(frozen=True)
class Kind:
    """name: of the file. sound: its content. run: reads it, returns the exit status.

    agrees: whether another reader understands an accepted file alike. damage: of the content.
    share: of the other kinds' number of cases, for what is slow. lines: whether a refusal names
    every fault in a line of its own.
    """

    name: str
    sound: bytes
    run: Callable[[Path], int]
    agrees: Callable[[bytes], bool] = lambda raw: True
    damage: Callable[[bytes, random.Random], bytes] = damaged
    share: float = 1.0
    lines: bool = False


def calling(read: Callable[[Path], Any]) -> Callable[[Path], int]:
    """A function that reads a file, as the command line would end."""

    def run(path: Path) -> int:
        try:
            with one_voice():
                read(path)
        except InputError as error:
            print(f"lawcheck: {one_line(str(error))}", file=sys.stderr)
            return 2
        return 0

    return run


def verb(*argv: str) -> Callable[[Path], int]:
    def run(path: Path) -> int:
        out = path.parent / "out" / "made"
        shutil.rmtree(out.parent, ignore_errors=True)
        filled = [a.format(path=path, folder=path.parent, out=out) for a in argv]
        code = command_line(filled)
        left = [p.name for p in out.parent.iterdir()] if out.parent.is_dir() else []
        if any(n != "made" for n in left) or (code == 2 and left):
            raise AssertionError(f"exit {code} left {left} behind")
        return code

    return run


def _law_file(path: Path) -> int:
    before = os.environ["LAWCHECK_LAWS"]
    os.environ["LAWCHECK_LAWS"] = str(path.parent)
    discovery.forget()
    try:
        return command_line(["list", "--json"])
    finally:
        os.environ["LAWCHECK_LAWS"] = before
        discovery.forget()


def strict(raw: bytes) -> bool:
    """Whether JSON holds each key once and only finite numbers, by a second reading."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) != len(pairs):
            raise ValueError
        return dict(pairs)

    for line in [raw] if raw.lstrip()[:1] == b"[" or b"\n " in raw else raw.split(b"\n"):
        if line.strip():
            value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=once)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return True


def _same_scores(raw: bytes) -> bool:
    """Python's csv module must see the rows that were judged, each once."""
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    keys = [(r["arm"], int(r["seed"]), r["task"], r["item_id"], r.get("metric")) for r in rows]
    values = [float(r["value"]) for r in rows if (r["value"] or "").strip().lower() not in NO_VALUE]
    return len(set(keys)) == len(keys) and all(0 <= v <= 1 or v != v for v in values)


NO_VALUE = {"", "null", "na", "n/a", "nan", "#n/a", "-nan", "1.#ind", "1.#qnan", "-1.#ind", "#na"}


def parquet(rows: list[tuple[Any, ...]]) -> bytes:
    names = ("arm", "seed", "task", "item_id", "value")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


def _arrow() -> bytes:
    table = pa.table({c: [f"{c}{k}" for k in range(9)] for c in SCHEMA.names}, schema=SCHEMA)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


def _harness(file: str) -> Callable[[Path], int]:
    """An lm-eval output folder whose results or samples are the damaged file."""
    run = verb("import", "{folder}/ours-s0", "--out", "{out}")

    def placed(path: Path) -> int:
        folder = path.parent / "ours-s0" / "model"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in HARNESS.items():
            (folder / name).write_text(content, encoding="utf-8")
        if path.exists() and path.is_file():
            (folder / file).write_bytes(path.read_bytes())
        return run(path)

    return placed


STAMP = "2026-01-02T03-04-05.678901"
HARNESS = {
    f"results_{STAMP}.json": json.dumps(
        {
            "results": {"math": {"acc,none": 0.5, "acc_stderr,none": 0.1}},
            "configs": {"math": {"task": "math"}},
            "n-samples": {"math": {"original": 4, "effective": 4}},
            "model_name": "model",
        },
        indent=2,
    ),
    f"samples_math_{STAMP}.jsonl": "".join(
        json.dumps({"doc_id": k, "doc": {"id": f"d{k}"}, "acc": k % 2, "filter": "none"}) + "\n"
        for k in range(4)
    ),
}
TABLE = "run_id,task,item,score\n" + "".join(f"{a}-s{s},{t},{i},{v}\n" for a, s, t, i, v in ROWS)


def file_kinds() -> list[Kind]:
    verdict = next(iter(sorted((REFERENCE / "laws").glob("*.json"))))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "a.jsonl.gz"
        archive.write_bytes(gzip.compress(JSON_ROWS.encode(), mtime=0))
        packed = archive.read_bytes()
    lock = f'gsm8k:\n  revision: "{"a1" * 20}"\n  sha256: "{"b2" * 32}"\n'
    hardware = "title: own card\nmemory_gb: 80\nbf16_tflops: 300.5\n"
    question = {"id": str, "question": str, "answer": str}
    table = "[" + ", ".join(json.dumps({"id": k, "q": "a b"}) for k in range(5)) + "]"
    record = json.dumps({"seed": 0, "recipe_digest": "ab12", "losses": [1.5, 2.25]}, indent=2)
    judged = verb("judge", "ours_wins", "--scores", "{path}", "--json", "{out}")
    imported = verb("import", "{path}", "--out", "{out}")
    planned = verb("plan", "merge_then_align", "--scale", "{path}", "--json")
    mapped = verb("import", "{folder}/table.csv", "--map", "{path}", "--out", "{out}")
    results, samples = HARNESS
    return [
        Kind("scores.csv", SCORES.encode(), judged, _same_scores),
        Kind("scores.parquet", parquet(ROWS), judged),
        Kind("import.csv", SCORES.encode(), imported),
        Kind("import.parquet", parquet(ROWS), imported),
        Kind("columns of scores.parquet", parquet(ROWS), judged, damage=columns),
        Kind("columns of import.parquet", parquet(ROWS), imported, damage=columns),
        Kind(
            "columns of released.parquet",
            parquet(ROWS),
            calling(lambda p: [*rows_of(p)]),
            damage=columns,
        ),
        Kind("map.yaml", MAP.encode(), mapped),
        Kind("lm-eval results.json", HARNESS[results].encode(), _harness(results)),
        Kind(
            "values of lm-eval results.json",
            HARNESS[results].encode(),
            _harness(results),
            damage=structured,
        ),
        Kind("lm-eval samples.jsonl", HARNESS[samples].encode(), _harness(samples)),
        Kind("scale.yaml", SCALE.encode(), planned),
        Kind("law.py", LAW.encode(), _law_file),
        Kind("hardware.yaml", hardware.encode(), calling(lambda p: load_accelerator(str(p)))),
        Kind("sources.lock.yaml", lock.encode(), calling(read_lock)),
        Kind("corpus.jsonl", JSON_ROWS.encode(), calling(read_rows), strict),
        Kind("released.jsonl", JSON_ROWS.encode(), calling(lambda p: [*rows_of(p)]), strict),
        Kind("released.json", table.encode(), calling(lambda p: [*rows_of(p)])),
        Kind("released.csv", SCORES.encode(), calling(lambda p: [*rows_of(p)])),
        Kind("released.parquet", parquet(ROWS), calling(lambda p: [*rows_of(p)])),
        Kind("released.jsonl.gz", packed, calling(lambda p: [*rows_of(p)])),
        Kind("slice.jsonl", JSON_ROWS.encode(), calling(lambda p: read_jsonl(p, question))),
        Kind("shard.arrow", _arrow(), calling(lambda p: [*Shards([p])])),
        Kind("verdict.json", verdict.read_bytes(), calling(read_verdict), strict),
        Kind(
            "values of verdict.json",
            verdict.read_bytes(),
            calling(read_verdict),
            strict,
            damage=structured,
        ),
        Kind(
            "record.json",
            record.encode(),
            calling(lambda p: read_object(p, "again")),
            strict,
        ),
        Kind("base.json", record.encode(), calling(lambda p: read_base(p.parent)), strict),
        Kind("train.json", record.encode(), calling(lambda p: read_record(p.parent))),
    ]
