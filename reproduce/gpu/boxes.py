"""What an accelerator is asked first, each question in a time box; results are written at once.

    .gpu/env/bin/python reproduce/gpu/boxes.py OUT [--seconds 540] [--scale smollm2] [--jobs 8]
    python reproduce/gpu/boxes.py OUT --dry [--seconds 60]

In this order: training steps and adapters at the shapes of a 7B model; the law with one seed; more
seeds while time lasts; bfloat16 and flash attention beside float32 and eager; levels of the base of
scale `gpu`. A box that overruns is ended, and what it has printed or scored counts. OUT gets
results.json, tables.md, log.txt, compared.json and law.tar.gz: five files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# Shares of the whole time; more seeds get what the others leave.
SHARES = {"shapes": 0.18, "law": 0.32, "more seeds": 0.0, "precision": 0.09, "gpu base": 0.16}
TITLES = {
    "shapes": "Training steps at 7B shapes, and the adapters' table",
    "law": "The law, one seed",
    "more seeds": "The law, more seeds",
    "precision": "bfloat16 and flash attention beside float32 and eager",
    "gpu base": "Levels of the base of scale `gpu`",
}
# Kept for what is written after the last box.
MARGIN = 0.02
GRACE, EVERY = 6.0, 2.0
CARD = {"device": "cuda", "micro_batch": 8, "evaluation_batch": 64, "gpus_per_node": 1}
CARD |= {"runs_per_job": 3, "memory_mb": 8000, "minutes_per_run": 0.5}
TINY_BASE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
LEVELS = """
import sys
from pathlib import Path
from lawcheck.declare.scale import load_scale
from lawcheck.training.base.score import score_base
scale, items = load_scale(sys.argv[1]), int(sys.argv[3])
levels = score_base(Path(sys.argv[2]), scale, items=items)
print("| discipline | level |\\n| --- | --- |")
for name, level in levels.items():
    print(f"| {name} | {level:.3f} |")
"""


@dataclass
class Box:
    name: str
    seconds: float = 0.0
    status: str = "waiting"
    spent: float = 0.0
    found: dict[str, Any] = field(default_factory=dict)


class Session:
    """The boxes of one visit, their clock and their files."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.out = options, options.out.resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.out / "work", ignore_errors=True)
        self.work = (self.out / "work") if options.dry else ROOT / ".gpu" / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        (self.work / "scales").mkdir(parents=True)
        self.log = self.out / "log.txt"
        self.log.write_text("")
        before = time.time() - options.began if options.began else 0.0
        self.began = time.monotonic() - before
        self.boxes = {name: Box(name, share * options.seconds) for name, share in SHARES.items()}
        self.about = machine()
        self.environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
            "LAWCHECK_COMPARED": "",
        }
        self.setting_up: subprocess.Popen[bytes] | None = None

    def left(self) -> float:
        """Seconds until the end of the visit."""
        return self.options.seconds * (1 - MARGIN) - (time.monotonic() - self.began)

    # ------------------------------------------------------------------------- one box

    def run(self, name: str, commands: list[list[str]], look: Callable[[], dict[str, Any]]) -> None:
        """Run commands one after another until they or the box's time end. look: what was found."""
        box = self.boxes[name]
        reserved = (
            sum(b.seconds for b in self.boxes.values() if b.status == "waiting") - box.seconds
        )
        limit = self.left() - reserved if name == "more seeds" else min(box.seconds, self.left())
        began, start = time.monotonic(), self.log.stat().st_size
        box.seconds, box.status = round(max(limit, 0.0), 1), "running"
        self.say(f"## {TITLES[name]}: {box.seconds:.0f} s")
        # Ending a process that writes a checkpoint takes a part of the box.
        until = began + limit - min(GRACE, limit / 10)
        status = "cut" if limit <= 1 else "done"
        for words in commands if limit > 1 else []:
            ended = self._command(words, until, lambda: self._note(box, began, start, look))
            if ended != 0:
                status = "cut" if ended is None else f"failed with status {ended}"
                break
        box.status = status
        self._note(box, began, start, look)

    def _command(self, words: list[str], until: float, note: Callable[[], None]) -> int | None:
        """The status; None where time was up and the command's whole group was ended."""
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(words)}\n".encode())
            log.flush()
            one = subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
            )
            try:
                noted = time.monotonic()
                while one.poll() is None and time.monotonic() < until:
                    time.sleep(0.05)
                    if time.monotonic() - noted > EVERY:
                        note()
                        noted = time.monotonic()
                return one.poll()
            finally:
                # Its time is up, or that of this process.
                if one.poll() is None:
                    end(one)

    def _note(self, box: Box, began: float, start: int, look: Callable[[], dict[str, Any]]) -> None:
        box.spent = round(time.monotonic() - began, 1)
        with self.log.open("rb") as log:
            log.seek(start)
            printed = log.read().decode(errors="replace")
        box.found = {"tables": tables(printed), **look()}
        self.write()

    def say(self, line: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    # ----------------------------------------------------------------------- what is kept

    def write(self) -> None:
        entries = [
            {"box": b.name, "status": b.status, "seconds": b.spent, "limit": b.seconds, **b.found}
            for b in self.boxes.values()
        ]
        content = {**self.about, "dry": self.options.dry, "boxes": entries}
        replace(self.out / "results.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
        lines = [f"# First ten minutes: {self.about['card']}", "", f"{self.about['versions']}"]
        if self.options.dry:
            lines += ["", "A dry run in tiny form: its numbers mean nothing."]
        for b in self.boxes.values():
            lines += [
                "",
                f"## {TITLES[b.name]}",
                "",
                f"{b.status}, {b.spent:.0f} of {b.seconds:.0f} s",
            ]
            for head, *rows in b.found.get("tables", []):
                lines += ["", row(head), row(["---"] * len(head)), *map(row, rows)]
            if "runs" in b.found:
                lines += ["", *law_lines(b.found)]
        replace(self.out / "tables.md", "\n".join(lines) + "\n")

    def keep_law(self, results: Path) -> None:
        """Scores, verdicts, tables, records and cards; the weights stay behind."""
        if not results.is_dir():
            return
        patterns = ("laws/*", "tables/*", "runs/*/train.json", "runs/*/scores.parquet*")
        with tarfile.open(self.out / "law.tar.gz", "w:gz") as archive:
            for pattern in (*patterns, "runs/*/adapter/README.md", "logs/*"):
                for path in sorted(results.glob(pattern)):
                    archive.add(path, path.relative_to(results.parent))

    # --------------------------------------------------------------------------- the order

    def scale(self, name: str, parent: str, **changes: Any) -> Path:
        """A scale file that says what is other here; hardware enters no run's id."""
        path = self.work / "scales" / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"extends": parent, **changes}))
        return path

    def visit(self) -> None:
        options, device = self.options, "cpu" if self.options.dry else "cuda"
        results = self.work / "results"
        if options.dry:
            tiny = {"evaluation": {"items": 2, "tune_items": 0, "max_new_tokens": 4}}
            scale = self.scale(f"{options.scale}_dry", options.scale, **tiny)
            sizes = {"architecture": TINY_BASE, "mixture": MIXTURE}
            base = {"bases": {"default": sizes}, "hardware": {"device": "cpu", "micro_batch": 16}}
            gpu = self.scale("gpu_dry", "gpu", **base)
        else:
            scale = self.scale(f"{options.scale}_gpu", options.scale, hardware=CARD)
            gpu = Path("gpu")
        folder = results / scale.stem
        study = ["--scale", str(scale), "--results", str(results)]
        self._set_up(study, folder)
        python = [sys.executable]
        tiny_only = ["--tiny"] if options.dry else []
        words = [*python, "benchmarks/gpu.py", *tiny_only, "--accelerator", options.accelerator]
        self.run("shapes", [words], dict)
        self._wait_for_setup()

        def law(seeds: int) -> list[str]:
            settings = [f"scale={scale}", f"results={results}", f"figures={self.work / 'figures'}"]
            settings.append("seeds=" + ",".join(map(str, range(seeds))))
            engine = ["-m", "snakemake", "--profile", "reproduce/profiles/local", "--quiet", "all"]
            engine += ["--cores", str(options.jobs), f"law_{options.law}", "--config", *settings]
            return [*python, *engine]

        def look() -> dict[str, Any]:
            return law_found(folder, options.law)

        with self._shared_card():
            self.run("law", [law(1)], look)
            # The first goes on with what was cut.
            self.run("more seeds", [law(n) for n in range(1, options.seeds + 1)], look)
        self.keep_law(folder)
        files = ["--model", str(folder / "bases" / "default"), "--device", device]
        files += ["--rows", str(folder / "corpus" / "medicine.train.jsonl")]
        texts = ["--tiny", "--texts", "3"] if options.dry else files
        self.run("precision", [[*python, "benchmarks/precision.py", *texts]], dict)
        build = ["base", "--scale", str(gpu), "--seed", "0", "--results", str(results)]
        built = results / gpu.stem / "bases" / "default-s0"
        items = "4" if options.dry else "400"
        levels = [*python, "-c", LEVELS, str(gpu), str(built), items]
        self.run("gpu base", [[*python, "-m", "lawcheck", *build], levels], dict)

    def _set_up(self, study: list[str], folder: Path) -> None:
        """Corpus, converted base, compared architectures: on the processor, beside the first box.

        What was compared with these versions decides which fast paths are taken (docs/models.md).
        """
        compared = self.out / "compared.json"
        steps = [["-m", "lawcheck", "corpus", *study]]
        if not self.options.dry:
            steps.append(["-m", "lawcheck", "base", *study])
            compare = ["--only", "llama", "--adapters", "--write", str(compared)]
            steps.append(["benchmarks/architectures.py", *compare])
        line = " && ".join(shlex.join([sys.executable, *s]) for s in steps)
        with (self.work / "setup.log").open("wb") as log:
            self.setting_up = subprocess.Popen(
                ["bash", "-c", line],
                stdout=log, stderr=log, cwd=ROOT, env=self.environment, start_new_session=True,
            )  # fmt: skip

    def _wait_for_setup(self) -> None:
        """At most a quarter of the law's box: the engine makes what is missing."""
        assert self.setting_up is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.setting_up.wait(max(min(self.boxes["law"].seconds / 4, self.left()), 0))
        if self.setting_up.poll() is None:
            end(self.setting_up)
        if (self.out / "compared.json").is_file():
            self.environment["LAWCHECK_COMPARED"] = str(self.out / "compared.json")
        self.say((self.work / "setup.log").read_text(errors="replace").rstrip())

    @contextlib.contextmanager
    def _shared_card(self) -> Iterator[None]:
        """NVIDIA's MPS where it starts and a process computes under it: kernels overlap then."""
        pipes = self.work / "mps"
        own = {"CUDA_MPS_PIPE_DIRECTORY": str(pipes), "CUDA_MPS_LOG_DIRECTORY": str(pipes)}
        program = shutil.which("nvidia-cuda-mps-control")
        if self.options.dry or not self.options.mps or program is None:
            yield
            return
        pipes.mkdir()
        environment, works = {**self.environment, **own}, False
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            subprocess.run([program, "-d"], env=environment, timeout=10, check=True)
            probe = [sys.executable, "-c", "import torch; print(torch.ones(2).cuda().sum().item())"]
            subprocess.run(probe, env=environment, timeout=30, check=True)
            works = True
        self.say(f"MPS: {'in use' if works else 'not in use, no process computes under it'}")
        if works:
            self.environment |= own
        yield
        for name in own:
            self.environment.pop(name, None)
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            subprocess.run([program], input=b"quit\n", env=environment, timeout=10, check=False)


MIXTURE = dict.fromkeys(
    ("math", "chemistry", "biology", "medicine", "geography", "general", "out_of_domain"), 60
)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    for how, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    # Whoever of the group outlived the first.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tables(printed: str) -> list[list[list[str]]]:
    """Markdown tables as rows of cells, the rule below the head left out."""
    found: list[list[list[str]]] = []
    inside = False
    for line in printed.splitlines():
        if not (line.startswith("|") and line.rstrip().endswith("|")):
            inside = False
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not inside:
            found.append([])
            inside = True
        if not all(set(c) <= set("-:") and c for c in cells):
            found[-1].append(cells)
    return [t for t in found if len(t) > 1]


def law_found(folder: Path, law: str) -> dict[str, Any]:
    """Runs that are trained and scored, what they took, and the verdict where there is one."""
    runs = []
    for path in sorted(folder.glob("runs/*/train.json")):
        record = json.loads(path.read_text())
        keys = ("arm", "seed", "steps", "tokens_per_second", "milliseconds_per_step")
        runs.append(
            {
                **{k: record.get(k) for k in (*keys, "peak_memory_bytes", "device", "diverged")},
                "scored": (path.parent / "scores.parquet.origin").is_file(),
            }
        )
    path, verdict = folder / "laws" / f"{law}.json", None
    if path.is_file():
        told = json.loads(path.read_text())
        verdict = {"outcome": told["outcome"], "seeds": told.get("seeds"), "parts": told["parts"]}
    return {"runs": runs, "verdict": verdict}


def law_lines(found: dict[str, Any]) -> list[str]:
    runs, verdict = found["runs"], found["verdict"]
    lines = [f"{len(runs)} runs trained, {sum(r['scored'] for r in runs)} scored."]
    if runs:
        lines += ["", row(["arm", "seed", "steps", "ms a step", "tokens a second", "GB"])]
        lines.append(row(["---"] * 6))
    for r in runs:
        speed = [r["milliseconds_per_step"], r["tokens_per_second"]]
        cells = [r["arm"], r["seed"], r["steps"], *(f"{v:.0f}" if v else "" for v in speed)]
        lines.append(row([*map(str, cells), f"{(r['peak_memory_bytes'] or 0) / 1e9:.1f}"]))
    if verdict:
        lines += ["", f"Verdict: {verdict['outcome']}", "", row(["part", "outcome"])]
        lines += [row(["---"] * 2)]
        lines += [row([p["name"], p["outcome"]]) for p in verdict["parts"]]
    return lines


def machine() -> dict[str, str]:
    import torch
    import transformers

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return {"card": card, "versions": f"{versions}, transformers {transformers.__version__}"}


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--dry", action="store_true", help="tiny models on a CPU")
    parser.add_argument("--seconds", type=float, help="of everything (540; dry: 60)")
    parser.add_argument("--began", type=float, help="epoch second at which the time began")
    parser.add_argument("--scale", help="of the law (smollm2; dry: smoke)")
    parser.add_argument("--law", default="share_then_specialize")
    parser.add_argument("--seeds", type=int, default=5, help="no more than these")
    parser.add_argument("--jobs", type=int, help="processes on the card (8; dry: 2)")
    parser.add_argument("--accelerator", default="h100", help="whose peak counts for MFU")
    parser.add_argument("--no-mps", dest="mps", action="store_false", help="without NVIDIA's MPS")
    options = parser.parse_args()
    dry = options.dry
    options.seconds = options.seconds or (60 if dry else 540)
    options.scale = options.scale or ("smoke" if dry else "smollm2")
    options.jobs = options.jobs or (2 if dry else 8)
    session = Session(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        session.visit()
    finally:
        session.write()
        if session.setting_up is not None and session.setting_up.poll() is None:
            end(session.setting_up)
    print((session.out / "tables.md").read_text())


if __name__ == "__main__":
    main()
