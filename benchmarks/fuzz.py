"""Damaged files of every kind that a user can hand over: refused in one line, or read rightly.

    python benchmarks/fuzz.py [--cases 12000] [--seed 0] [--kind NAME] [--case N] [--part K/N]

Each case damages a sound file with a generator seeded by (seed, kind, case) and hands it to the
command line, or to the one function that reads such a file. A failure is a traceback, a case of
more than LIMIT seconds, a line that is long or breaks a terminal, a half-written output, or an
accepted file that another reader understands otherwise. Prints a table; exit 1 with failures.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import io
import os
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

import fuzz_files
import fuzz_study
from fuzz_adapters import adapter_kinds
from fuzz_files import Kind
from fuzz_paths import path_kind

from lawcheck.declare import discovery
from lawcheck.errors import LONGEST

LIMIT = 20  # seconds of CPU time; sound files take a few hundredths


class HangError(BaseException):
    """A case took longer than LIMIT."""


def alarm(*_: object) -> None:
    raise HangError


@contextlib.contextmanager
def workplace(home: Path) -> Iterator[None]:
    """Laws that the kinds ask for, and a clock that ends a case."""
    laws = home / "laws"
    laws.mkdir()
    (laws / "ours.py").write_text(fuzz_files.LAW)
    (laws / "learns.py").write_text(fuzz_study.LAW)
    before = os.environ.get("LAWCHECK_LAWS")
    clock = signal.signal(signal.SIGVTALRM, alarm)
    os.environ["LAWCHECK_LAWS"] = str(laws)
    discovery.forget()
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, clock)
        os.environ.pop("LAWCHECK_LAWS")
        if before is not None:
            os.environ["LAWCHECK_LAWS"] = before
        discovery.forget()


def kinds(home: Path, adapters: bool = True) -> list[Kind]:
    """adapters: whether those that load torch are wanted."""
    found = [*fuzz_files.file_kinds(), path_kind(), *fuzz_study.study_kinds(home)]
    return [*found, *adapter_kinds(home)] if adapters else found


def _placed(path: Path, raw: bytes, rng: random.Random, case: int) -> bytes | None:
    """The damaged file, or in one of thirty cases something that is no file; its content."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        path.rmdir()
    path.with_name("table.csv").write_text(fuzz_files.TABLE)
    other = rng.randrange(90) if case >= 0 else 90
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
    """(`accepted`, `refused` or `failed`, what was said or went wrong)."""
    rng = random.Random(f"{seed} {kind.name} {case}")
    path = folder / kind.name.rpartition(" ")[2]
    raw = _placed(path, kind.damage(kind.sound, rng), rng, case)
    err = io.StringIO()
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = kind.run(path)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except HangError:
        return "failed", f"took more than {LIMIT} s"
    # SystemExit and others that are no Exception are failures as well.
    except BaseException as error:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
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
    several = len(lines) != 2 and not kind.lines
    if code != 2 or several or lines[-1] or not all(map(str.isprintable, lines)):
        return "failed", f"exit {code}, said {said[:200]!r}"
    if max(map(len, lines)) > LONGEST + 20:
        return "failed", f"a line of {max(map(len, lines))} characters"
    return "refused", said


def run_kind(kind: Kind, folder: Path, seed: int, cases: Iterable[int]) -> dict[str, int]:
    """Number of cases by outcome; the first failure of every sort goes to stderr."""
    counts = dict.fromkeys(("accepted", "refused", "failed"), 0)
    shown: set[str] = set()
    # Where the sound file is not accepted, nothing is learnt from damaging it.
    sound = dataclasses.replace(kind, damage=lambda raw, rng: raw)
    outcome, what = one_case(sound, folder, seed, -1)
    if outcome != "accepted":
        counts["failed"] += 1
        print(f"kind {kind.name!r}: the sound file is {outcome}: {what}", file=sys.stderr)
    for case in cases:
        outcome, what = one_case(kind, folder, seed, case)
        counts[outcome] += 1
        if outcome == "failed" and what.partition("'")[0] not in shown:
            shown.add(what.partition("'")[0])
            again = f"--seed {seed} --kind '{kind.name}' --case {case}"
            print(f"python benchmarks/fuzz.py {again}: {what}", file=sys.stderr, flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=12_000, help="over all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help="this kind only")
    parser.add_argument("--case", type=int, help="this case only")
    parser.add_argument("--part", default="1/1", help="every n-th kind from the k-th on, as k/n")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as home, workplace(Path(home)):
        every = kinds(Path(home))
        chosen = [k for k in every if options.kind in (None, k.name)]
        each = options.cases / sum(k.share for k in chosen)
        first, step = map(int, options.part.split("/"))
        chosen = chosen[first - 1 :: step]
        for number, kind in enumerate(chosen):
            folder = Path(home) / str(number)
            folder.mkdir()
            cases = range(max(1, round(each * kind.share)))
            counts = run_kind(
                kind, folder, options.seed, cases if options.case is None else [options.case]
            )
            rows.append((kind.name, sum(counts.values()), *counts.values()))
    failed = sum(row[-1] for row in rows)
    again = f"python benchmarks/fuzz.py --cases {options.cases} --part {options.part}"
    print(f"Seed {options.seed}. {again}\n")
    print("| kind | cases | accepted | refused | failures |\n|---|---|---|---|---|")
    for row in (*rows, ("all", *map(sum, list(zip(*rows, strict=True))[1:]))):
        print(f"| {' | '.join(map(str, row))} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
