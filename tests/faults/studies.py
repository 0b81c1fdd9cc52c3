"""A study through Snakemake that can be killed part by part, and what must come out the same."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from verbs_in_turn import LAWS

ROOT = Path(__file__).resolve().parents[2]
TARGET = "law_share_then_specialize"
# What a run, its record or its machine may say differently each time.
VARYING = {
    "tokens_per_second",
    "milliseconds_per_step",
    "setup_seconds",
    "peak_memory_bytes",
    "wall_seconds",
    "cpu_seconds",
    "resumed_at_step",
    "checkpoints_discarded",
    # The commit, and whether the tree was dirty: of the code, not of the study.
    "source",
}
# Table 3 ends in the measured CPU time of every arm.
MEASURED = {
    ".csv": re.compile(rb"^.*,cpu_seconds,.*$", re.MULTILINE),
    ".md": re.compile(rb"\|[^|\n]*\|$", re.MULTILINE),
    ".tex": re.compile(rb"&[^&\n]*\\\\$", re.MULTILINE),
}
# Times and memory of jobs, their logs; the page prints how long training took.
ASIDE = ("benchmarks/", "logs/", "report/")


class Study:
    """One folder, one command: called again and again, it must come to the same end."""

    def __init__(
        self,
        folder: Path,
        scale: Path | str = "smoke",
        words: Sequence[str] = (),
        target: str = TARGET,
    ) -> None:
        self.folder, self.scale, self.words, self.target = folder, scale, words, target
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def results(self) -> Path:
        return self.folder / "results" / Path(self.scale).stem

    def start(self, log: Path | None = None, **variables: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **LAWS, **variables}
        # The rules call `lawcheck`, which lies beside this interpreter.
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--profile", str(ROOT / "reproduce" / "profiles" / "local")),
            *("--directory", str(self.folder), self.target, *self.words),
            *("--config", f"scale={self.scale}"),
        ]
        with (log or self.folder / "snakemake.log").open("wb") as stream:
            return subprocess.Popen(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )

    def said(self) -> str:
        return (self.folder / "snakemake.log").read_text(errors="replace")


def kill(engine: subprocess.Popen[bytes], part: str, number: int = signal.SIGKILL) -> str:
    """Send a signal to a part of a study; what was hit, empty if there was nothing.

    all: Snakemake and its jobs. engine: Snakemake alone, whose jobs go on. shell: a job's shell
    alone. job: the `lawcheck` of one job alone.
    """
    try:
        root = psutil.Process(engine.pid)
        below = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return ""
    shells = [p for p in below if _named(p, "bash")]
    jobs = [p for p in below if _says(p, "lawcheck") and not _named(p, "bash")]
    hit = {"all": [root, *below], "engine": [root], "shell": shells[:1], "job": jobs[:1]}[part]
    verb = next((w for p in jobs for w in [_verb(p)] if w), "planning")
    for process in hit:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
    return verb if hit else ""


def busy(engine: subprocess.Popen[bytes]) -> bool:
    """Whether a job of this Snakemake is at work."""
    try:
        below = psutil.Process(engine.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    return any(_says(p, "lawcheck") and not _named(p, "bash") for p in below)


def orphans(folder: Path) -> list[psutil.Process]:
    """Live `lawcheck` processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if _says(process, "lawcheck") and Path(process.cwd()) == folder:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _named(process: psutil.Process, name: str) -> bool:
    try:
        return process.name() == name
    except psutil.Error:
        return False


def _says(process: psutil.Process, word: str) -> bool:
    try:
        return any(Path(part).name == word for part in process.cmdline()[:3])
    except psutil.Error:
        return False


def _verb(process: psutil.Process) -> str:
    try:
        line = process.cmdline()
    except psutil.Error:
        return ""
    places = [i for i, part in enumerate(line) if Path(part).name == "lawcheck"]
    return line[places[0] + 1] if places and places[0] + 1 < len(line) else ""


def digests(results: Path) -> dict[str, str]:
    """SHA-256 of every file that is a result; of records, without times, memory and resumption."""
    return {
        path.relative_to(results).as_posix(): _digest(path)
        for path in _files(results)
        if not path.name.startswith(".")
    }


def leftovers(results: Path) -> list[str]:
    """Files and folders that a killed writer left; locks are meant to stay."""
    found = [p for p in results.rglob(".*") if p.name != ".lock" and not p.name.endswith(".lock")]
    found += list(results.rglob("checkpoints"))
    return sorted(p.relative_to(results).as_posix() for p in found)


def differences(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    return sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))


def _files(results: Path) -> Iterator[Path]:
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results).as_posix()
        hidden = any(part.startswith(".") for part in Path(inside).parts[:-1])
        if path.is_file() and not inside.startswith(ASIDE) and not hidden and not _unscored(path):
            yield path


def _unscored(path: Path) -> bool:
    """Whether it is a model card that scoring will write again."""
    return path.name == "README.md" and "None yet" in path.read_text()


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.name.endswith(("train.json", "provenance.json")):
        content = json.dumps(_lasting(json.loads(content)), sort_keys=True).encode()
    if path.suffix == ".origin":
        content = json.dumps(_recorded(json.loads(content)), sort_keys=True).encode()
    if path.stem == "table_3":
        content = MEASURED[path.suffix].sub(b"", content)
    return hashlib.sha256(content).hexdigest()


def _recorded(origin: dict[str, Any]) -> dict[str, Any]:
    """A record of origin without the digests of files that hold measured times."""
    files = {k: v for k, v in origin["files"].items() if Path(k).stem != "table_3"}
    return {k: v for k, v in origin.items() if k not in ("beside", "seal")} | {"files": files}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _lasting(v) for k, v in value.items() if k not in VARYING}
    return [_lasting(v) for v in value] if isinstance(value, list) else value
