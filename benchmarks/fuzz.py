"""Damaged files of every kind that a user can hand over: refused in one line, or read rightly.

    python benchmarks/fuzz.py [--cases 12000] [--seed 0] [--kind NAME] [--case N]

Each case damages a sound file with a generator seeded by (seed, kind, case) and hands it to the
command line, or to the one function that reads such a file. A failure is a traceback, a case of
more than LIMIT seconds, a line that is long or breaks a terminal, a half-written output, or an
accepted file that another reader understands otherwise. Prints a table; exit 1 with failures.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from lawcheck import discovery
from lawcheck.__main__ import main as command_line
from lawcheck.accelerators import load_accelerator
from lawcheck.base.shipped import read_record as read_base
from lawcheck.corpus.build import read_rows
from lawcheck.corpus.real.files import read_csv, read_jsonl
from lawcheck.corpus.shards import SCHEMA, Shards
from lawcheck.corpus.sources.locking import read_lock
from lawcheck.corpus.sources.reading import rows_of
from lawcheck.errors import LONGEST, InputError, one_line
from lawcheck.stages import read_json
from lawcheck.training.record import read_record
from lawcheck.verdict_forms import read_verdict

LIMIT = 20  # seconds of wall time; sound files take a few hundredths
REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference" / "proxy"

LAW = """
from lawcheck.design import Arm, Hypothesis, Law, difference
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
  - {match: "ours*", arm: ours, seed: 0}
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

# What stands in for a word or number of the file.
NASTY = [
    "1" + "0" * 400, "9223372036854775808", "1" * 5000, "1e999", "-1e999", "-0.0", "NaN", "nan",
    "Infinity", "-Infinity", ".nan", ".inf", "null", "true", "no", "1_000", "12:30:00", "010",
    "0x10", "[]", "{}", '""', "''", '"', "../../etc/passwd", "/etc/passwd", "a/b", "C:\\\\", ".",
    "..", "!!python/object/apply:os.system [id]", "&a [*a]", "*a", "<<: 1", "\\ud800",
    "\\u0000", "\u2028", "\u2029", "\u0085", "\f", "\x0b", "\r", "\x00", "\x1b[2J", "\u202etxt",
    "\U0001f600", "\ufeff", "[" * 3000, "{" * 3000, "- " * 2000, '{"a":' * 3000, "x" * 200_000,
    "-1", "0", "2", "1.5", "2020-13-40", "!!timestamp x", "!!bool x", "a\nb", "? [1]\n: 2",
    "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 10}]\n" for i in range(1, 9)),
]  # fmt: skip
WORD = re.compile(rb"[A-Za-z0-9_.+-]+")


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage, one after the other."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        raw = rng.choice(DAMAGES)(raw, rng)
    return raw


def _cut(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _flip(raw: bytes, rng: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(min(len(raw), rng.choice((1, 1, 2, 8)))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _insert(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw) + 1)
    some = rng.choice(NASTY).encode() if rng.random() < 0.8 else b"\xff\xfe\x80"
    return raw[:at] + some + raw[at:]


def _word(raw: bytes, rng: random.Random) -> bytes:
    words = list(WORD.finditer(raw))
    if not words:
        return raw
    chosen = rng.choice(words)
    return raw[: chosen.start()] + rng.choice(NASTY).encode() + raw[chosen.end() :]


def _twice(raw: bytes, rng: random.Random) -> bytes:
    """A line, or what stands between two commas, a second time."""
    mark = rng.choice((b"\n", b", "))
    parts = raw.split(mark)
    at = rng.randrange(len(parts))
    return mark.join([*parts[: at + 1], *parts[at:]])


def _lost(raw: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(raw) + 1)
    return raw[:start] + raw[start + rng.choice((1, 4, 40)) :]


def _encoded(raw: bytes, rng: random.Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    return rng.choice(
        (
            b"\xef\xbb\xbf" + raw,
            text.encode("utf-16"),
            text.encode("utf-16-be"),
            text.encode("latin-1", "replace"),
            raw.replace(b"\n", b"\r\n"),
            raw.replace(b"\n", b"\r"),
            b"",
            b"\n",
            b"\x1f\x8b" + raw,
        )
    )


DAMAGES = [_cut, _flip, _insert, _word, _word, _word, _twice, _lost, _encoded]


@dataclass(frozen=True)
class Kind:
    """name: of the file. sound: its content. run: reads it, returns the exit status.

    agrees: whether another reader understands an accepted file alike.
    """

    name: str
    sound: bytes
    run: Callable[[Path], int]
    agrees: Callable[[bytes], bool] = lambda raw: True


class HangError(BaseException):
    """A case took longer than LIMIT."""


def _alarm(*_: object) -> None:
    raise HangError


def _calling(read: Callable[[Path], Any]) -> Callable[[Path], int]:
    """A function that reads a file, as the command line would end."""

    def run(path: Path) -> int:
        try:
            read(path)
        except InputError as error:
            print(f"lawcheck: {one_line(str(error))}", file=sys.stderr)
            return 2
        return 0

    return run


def _verb(*argv: str) -> Callable[[Path], int]:
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


def _forget() -> None:
    for found in (discovery.laws, discovery._modules):
        found.cache_clear()


def _law_file(path: Path) -> int:
    before = os.environ["LAWCHECK_LAWS"]
    os.environ["LAWCHECK_LAWS"] = str(path.parent)
    _forget()
    try:
        return command_line(["list", "--json"])
    finally:
        os.environ["LAWCHECK_LAWS"] = before
        _forget()


def _strict(raw: bytes) -> bool:
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


def _parquet(rows: list[tuple[Any, ...]]) -> bytes:
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
    run = _verb("import", "{folder}/ours-s0", "--out", "{out}")

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
TABLE = "run,arm,seed,task,item,score\n" + "".join(
    f"r{s},{a},{s},{t},{i},{v}\n" for a, s, t, i, v in ROWS
)


def kinds() -> list[Kind]:
    verdict = next(iter(sorted((REFERENCE / "laws").glob("*.json"))))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "a.jsonl.gz"
        import gzip

        archive.write_bytes(gzip.compress(JSON_ROWS.encode(), mtime=0))
        packed = archive.read_bytes()
    lock = f'gsm8k:\n  revision: "{"a1" * 20}"\n  sha256: "{"b2" * 32}"\n'
    hardware = "title: own card\nmemory_gb: 80\nbf16_tflops: 300.5\n"
    question = {"id": str, "question": str, "answer": str}
    table = "[" + ", ".join(json.dumps({"id": k, "q": "a b"}) for k in range(5)) + "]"
    record = json.dumps({"seed": 0, "recipe_digest": "ab12", "losses": [1.5, 2.25]}, indent=2)
    judged = _verb("judge", "ours_wins", "--scores", "{path}", "--json", "{out}")
    imported = _verb("import", "{path}", "--out", "{out}")
    planned = _verb("plan", "merge_then_align", "--scale", "{path}", "--json")
    mapped = _verb("import", "{folder}/table.csv", "--map", "{path}", "--out", "{out}")
    results, samples = HARNESS
    return [
        Kind("scores.csv", SCORES.encode(), judged, _same_scores),
        Kind("scores.parquet", _parquet(ROWS), judged),
        Kind("import.csv", SCORES.encode(), imported),
        Kind("import.parquet", _parquet(ROWS), imported),
        Kind("map.yaml", MAP.encode(), mapped),
        Kind("lm-eval results.json", HARNESS[results].encode(), _harness(results)),
        Kind("lm-eval samples.jsonl", HARNESS[samples].encode(), _harness(samples)),
        Kind("scale.yaml", SCALE.encode(), planned),
        Kind("law.py", LAW.encode(), _law_file),
        Kind("hardware.yaml", hardware.encode(), _calling(lambda p: load_accelerator(str(p)))),
        Kind("sources.lock.yaml", lock.encode(), _calling(read_lock)),
        Kind("corpus.jsonl", JSON_ROWS.encode(), _calling(read_rows), _strict),
        Kind("released.jsonl", JSON_ROWS.encode(), _calling(lambda p: [*rows_of(p)]), _strict),
        Kind("released.json", table.encode(), _calling(lambda p: [*rows_of(p)])),
        Kind("released.csv", SCORES.encode(), _calling(lambda p: [*rows_of(p)])),
        Kind("released.parquet", _parquet(ROWS), _calling(lambda p: [*rows_of(p)])),
        Kind("released.jsonl.gz", packed, _calling(lambda p: [*rows_of(p)])),
        Kind("slice.jsonl", JSON_ROWS.encode(), _calling(lambda p: read_jsonl(p, question))),
        Kind("slice.csv", SCORES.encode(), _calling(lambda p: read_csv(p, 5))),
        Kind("shard.arrow", _arrow(), _calling(lambda p: [*Shards([p])])),
        Kind("verdict.json", verdict.read_bytes(), _calling(read_verdict), _strict),
        Kind("record.json", record.encode(), _calling(read_json), _strict),
        Kind("base.json", record.encode(), _calling(lambda p: read_base(p.parent)), _strict),
        Kind("train.json", record.encode(), _calling(lambda p: read_record(p.parent))),
    ]


def _placed(path: Path, raw: bytes, rng: random.Random) -> bytes | None:
    """The damaged file, or in one of thirty cases something that is no file; its content."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        path.rmdir()
    other = rng.randrange(90)
    if other == 0:
        path.mkdir()
    elif other == 1:
        path.symlink_to(path.name)
    elif other == 2:
        return None
    if other < 3:
        return None
    path.write_bytes(raw)
    return raw


def one_case(kind: Kind, folder: Path, seed: int, case: int) -> tuple[str, str]:
    """(`accepted`, `refused` or `failed`, what was wrong)."""
    rng = random.Random(f"{seed} {kind.name} {case}")
    path = folder / kind.name.rpartition(" ")[2]
    raw = _placed(path, damaged(kind.sound, rng), rng)
    err = io.StringIO()
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = kind.run(path)
        signal.alarm(0)
    except HangError:
        return "failed", f"took more than {LIMIT} s"
    # SystemExit and others that are no Exception are failures as well.
    except BaseException as error:
        signal.alarm(0)
        if isinstance(error, KeyboardInterrupt):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return "failed", f"{type(error).__name__} at {where}: {str(error)[:120]!r}"
    said = err.getvalue()
    if code == 0:
        try:
            fine = raw is None or kind.agrees(raw)
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
            return "failed", f"accepted, another reader says {str(error)[:120]!r}"
        return ("accepted", "") if fine else ("failed", "accepted, another reader disagrees")
    lines = said.split("\n")
    if code != 2 or len(lines) != 2 or lines[1] or not lines[0].isprintable():
        return "failed", f"exit {code}, said {said[:200]!r}"
    if len(lines[0]) > LONGEST + 20:
        return "failed", f"a line of {len(lines[0])} characters"
    return "refused", ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=12_000, help="over all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help="this kind only")
    parser.add_argument("--case", type=int, help="this case only")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _alarm)
    chosen = [k for k in kinds() if options.kind in (None, k.name)]
    each = max(1, options.cases // len(chosen))
    cases = range(each) if options.case is None else [options.case]
    failed = 0
    rows = []
    with tempfile.TemporaryDirectory() as home:
        laws = Path(home) / "laws"
        laws.mkdir()
        (laws / "ours.py").write_text(LAW)
        os.environ["LAWCHECK_LAWS"] = str(laws)
        _forget()
        for number, kind in enumerate(chosen):
            folder = Path(home) / str(number)
            folder.mkdir()
            (folder / "table.csv").write_text(TABLE)
            counts = dict.fromkeys(("accepted", "refused", "failed"), 0)
            shown: set[str] = set()
            for case in cases:
                outcome, what = one_case(kind, folder, options.seed, case)
                counts[outcome] += 1
                if what and what.partition("'")[0] not in shown:
                    shown.add(what.partition("'")[0])
                    again = f"--seed {options.seed} --kind '{kind.name}' --case {case}"
                    print(f"python benchmarks/fuzz.py {again}: {what}", file=sys.stderr)
            failed += counts["failed"]
            rows.append((kind.name, len(cases), *counts.values()))
    print(f"Seed {options.seed}. python benchmarks/fuzz.py --cases {options.cases}\n")
    print("| kind | cases | accepted | refused | failures |\n|---|---|---|---|---|")
    for row in (*rows, ("all", *map(sum, list(zip(*rows, strict=True))[1:]))):
        print(f"| {' | '.join(map(str, row))} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
