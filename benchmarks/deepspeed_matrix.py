"""Training on two processes through DeepSpeed, against one process without it.

    python benchmarks/deepspeed_matrix.py            print the table
    python benchmarks/deepspeed_matrix.py --write    and write it into docs/deepspeed.md

Two CPU processes talk through gloo. Every method is trained for 20 steps at equal global batch
under ZeRO-2 and ZeRO-3; one run a stage is killed with SIGKILL and resumed by two processes and
by one. tests/test_deepspeed.py holds the same measurements to their limits.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

PAGE = ROOT / "docs" / "deepspeed.md"
MARKS = ("<!-- table: begin -->", "<!-- table: end -->")
VARIANTS = ("plain", "shared_expert", "shared_a", "rank_route")
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "full": ("full", {}),
    "lora": ("lora", {}),
    **{f"lora_moe {v}": ("lora_moe", {"variant": v}) for v in VARIANTS},
    "lora_comp": ("lora_comp", {}),
}
# With gradient checkpointing, and with two micro-batches a step in each process.
HARDWARE: dict[str, dict[str, Any]] = {
    "lora": {"gradient_checkpointing": True},
    "lora_moe shared_a": {"gradient_checkpointing": True, "micro_batch": 2},
}
STEPS, BATCH = 20, 8
# What is killed while it trains, and after which step; checkpoints are made every CHECKPOINT.
KILLED, KILLED_AT, CHECKPOINT = {2: "lora_moe plain", 3: "full"}, 12, 5
POISONED_AT = 7
TOKENS = [[5, 6, 7, 8, 9, 10, 11, 12], [12, 11, 10, 9, 8, 7, 6, 5]]


def scale(stage: int | None, processes: int, **hardware: Any) -> Any:
    from tiny_world import make_scale

    return make_scale(
        training={"batch_size": BATCH, "max_length": 64},
        hardware={
            "micro_batch": BATCH // 2,
            "gpus_per_node": processes,
            "zero_stage": stage,
            **hardware,
        },
    )


def train(case: str, folder: Path, out: Path, chosen: Any, seconds: float = 1e9) -> dict[str, Any]:
    """One run of CASES; five adapters in `folder`/experts serve the composition."""
    from tiny_world import make_rows, make_run

    from lawcheck.training.run import train_run

    method, design = CASES[case]
    experts = {p.name: p / "adapter" for p in sorted((folder / "experts").glob("*"))}
    return train_run(
        make_run(method, **design),
        chosen,
        make_rows(BATCH * STEPS),
        folder / "base",
        out,
        experts if method == "lora_comp" else None,
        checkpoint_seconds=seconds,
    )


def prepare(folder: Path) -> None:
    """The base model, five expert adapters, and the runs of one process."""
    from tiny_world import make_base, make_rows, make_run, make_scale

    from lawcheck.training.run import train_run

    make_base(folder / "base")
    for k in range(5):
        out = folder / "experts" / f"expert_{k}"
        train_run(make_run("lora", seed=k), make_scale(), make_rows(16, k), folder / "base", out)
    for case in CASES:
        train(case, folder, folder / "one" / case, scale(None, 0, micro_batch=BATCH))


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor(TOKENS), use_cache=False).logits


@contextlib.contextmanager
def noted_logits(path: Path) -> Iterator[None]:
    """Inside, a run's logits are written before it is saved, by the model that trained."""
    import torch

    from lawcheck.training import sharding
    from lawcheck.training.launch import rank

    whole = sharding.whole

    def noting(model: Any, kept: Any) -> Any:
        found = logits(model)
        if rank() == 0:
            torch.save(found, path)
        return whole(model, kept)

    sharding.whole = noting
    try:
        yield
    finally:
        sharding.whole = whole


def work(folder: Path, jobs: list[dict[str, Any]]) -> None:
    """What each process does. A job with `kill` ends both processes, one of them the hard way."""
    from lawcheck.training import sharding
    from lawcheck.training.launch import rank, world_size
    from lawcheck.training.trainer import CompletionTrainer, TimedCheckpoints

    TimedCheckpoints.AGREE_EVERY = CHECKPOINT
    configuration = sharding.configuration

    def nothing_spared(*arguments: Any) -> dict[str, Any]:
        # Tensors as small as these are otherwise left whole on every process.
        found = configuration(*arguments)
        if found["zero_optimization"]["stage"] == 3:
            found["zero_optimization"]["stage3_param_persistence_threshold"] = 0
        return found

    sharding.configuration = nothing_spared
    step = CompletionTrainer.training_step

    def mortal(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == KILLED_AT and rank() == world_size() - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments, **options)

    def poisoned(self: Any, *arguments: Any, **options: Any) -> Any:
        loss = honest(self, *arguments, **options)
        return loss * float("nan") if self.state.global_step == POISONED_AT else loss

    honest = CompletionTrainer.compute_loss
    for job in jobs:
        CompletionTrainer.training_step = mortal if job.get("kill") else step
        CompletionTrainer.compute_loss = poisoned if job.get("poison") else honest
        out = folder / job["out"]
        out.mkdir(parents=True, exist_ok=True)
        chosen = scale(job["stage"], world_size(), **job.get("hardware", {}))
        # A run without a good state is built anew, in shards that no engine gathers.
        note = contextlib.nullcontext() if job.get("poison") else noted_logits(out / "logits.pt")
        with note:
            train(job["case"], folder, out, chosen, 0.0 if job.get("checkpoints") else 1e9)
    sharding.leave()


def launched(folder: Path, processes: int, jobs: list[dict[str, Any]]) -> int:
    """Exit status of the jobs, done in turn by `processes` processes."""
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    code = (
        "import sys; from lawcheck.training.launch import launch; "
        "from lawcheck.declare.scale import Hardware; "
        f"sys.exit(launch([sys.executable, {__file__!r}, '--worker', {str(folder)!r}], "
        f"Hardware(micro_batch=1, gpus_per_node={processes})))"
    )
    environment = {
        **os.environ,
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TORCH_EXTENSIONS_DIR": str(folder / "extensions"),
    }
    with (folder / "log").open("a", encoding="utf-8") as log:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
    return done.returncode


def run_sharded(folder: Path) -> None:
    """Every run that needs DeepSpeed. Raises AssertionError with the log where one fails."""

    def job(stage: int, case: str, out: str, **more: Any) -> dict[str, Any]:
        return {"stage": stage, "case": case, "out": out, **more}

    def killed(stage: int) -> dict[str, Any]:
        return job(stage, KILLED[stage], f"killed/{stage}", kill=True, checkpoints=True)

    def whole(stage: int) -> list[dict[str, Any]]:
        resumed = [job(stage, KILLED[stage], f"killed/{stage}")]
        return resumed + [
            job(stage, case, f"zero{stage}/{case}", hardware=HARDWARE.get(case, {}))
            for case in CASES
        ]

    def launch(processes: int, jobs: list[dict[str, Any]], status: int) -> None:
        found = launched(folder, processes, jobs)
        log = (folder / "log").read_text(encoding="utf-8")
        assert found == status, f"exit status {found}, expected {status}:\n{log[-2000:]}"

    launch(2, [killed(3)], 128 + signal.SIGKILL)
    shutil.copytree(folder / "killed/3", folder / "alone/3")
    diverged = [
        job(3, "full", "diverged/checkpoint", poison=True, checkpoints=True),
        job(3, "lora", "diverged/nothing", poison=True),
        job(2, "lora", "diverged/snapshot", poison=True),
    ]
    launch(2, [*whole(3), killed(2)], 128 + signal.SIGKILL)
    shutil.copytree(folder / "killed/2", folder / "alone/2")
    launch(2, [*whole(2), *diverged], 0)
    launch(1, [job(stage, KILLED[stage], f"alone/{stage}") for stage in (2, 3)], 0)


def read(folder: Path) -> dict[str, Any]:
    from lawcheck.training import record

    found = record.read_record(folder)
    assert found is not None, f"{folder}: no record"
    return found


def apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Largest difference of the losses of two runs, step by step."""
    pairs = zip(one["loss"], other["loss"], strict=True)
    steps = [(a["step"], b["step"], abs(a["loss"] - b["loss"])) for a, b in pairs]
    assert len(steps) == STEPS
    assert all(a == b for a, b, _ in steps)
    return max(d for *_, d in steps)


def weights_apart(one: Path, other: Path) -> float:
    from safetensors.torch import load_file

    a, b = (load_file(next((p / "adapter").glob("*.safetensors"))) for p in (one, other))
    assert a.keys() == b.keys()
    return max(float((a[k].float() - b[k].float()).abs().max()) for k in a)


def logits_apart(folder: Path, case: str, out: Path) -> float:
    """Of the saved run, loaded here, from those of the model that trained."""
    import torch
    from transformers import AutoModelForCausalLM

    from lawcheck.declare import discovery

    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    loaded = discovery.method_module(CASES[case][0]).load(base, out / "adapter")
    trained = torch.load(out / "logits.pt", weights_only=True)
    return float((logits(loaded) - trained).abs().max())


def measure(folder: Path) -> dict[str, Any]:
    """rows: per stage and case. resumed: per stage, by two processes and by one."""
    rows, resumed = [], []
    for stage in (2, 3):
        for case in CASES:
            one, out = folder / "one" / case, folder / f"zero{stage}" / case
            rows.append(
                {
                    "stage": stage,
                    "case": case,
                    "loss": apart(read(one), read(out)),
                    "weights": weights_apart(one, out),
                    "logits": logits_apart(folder, case, out),
                    "processes": read(out)["world_size"],
                }
            )
        out = folder / f"zero{stage}" / KILLED[stage]
        for name in ("killed", "alone"):
            again = read(folder / name / str(stage))
            resumed.append(
                {
                    "stage": stage,
                    "case": KILLED[stage],
                    "processes": again["world_size"],
                    "from": again["resumed_at_step"],
                    "loss": apart(read(out), again),
                    "weights": weights_apart(out, folder / name / str(stage)),
                    "same_bits": again["weights_sha256"] == read(out)["weights_sha256"],
                }
            )
    return {"rows": rows, "resumed": resumed, "versions": read(out)["versions"]}


def table(found: Mapping[str, Any], seconds: float) -> str:
    names = ("torch", "transformers", "peft", "accelerate", "deepspeed")
    versions = ", ".join(f"{n} {found['versions'][n]}" for n in names)
    lines = [
        f"Python {found['versions']['python']}, {versions}; 2 processes on CPU, gloo, float32; "
        f"{STEPS} steps of {BATCH} samples; {seconds:.0f} s.",
        "",
        "| stage | run | loss, any step | saved weights | logits after loading |",
        "|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        values = " | ".join(f"{row[k]:.1e}" if row[k] else "0" for k in _COLUMNS)
        lines.append(f"| ZeRO-{row['stage']} | {row['case']} | {values} |")
    lines += [
        "",
        "| stage | run | killed, then resumed by | from step | loss | weights |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["resumed"]:
        values = " | ".join(f"{row[k]:.1e}" if row[k] else "0" for k in ("loss", "weights"))
        by = "2 processes" if row["processes"] == 2 else "1 process"
        lines.append(f"| ZeRO-{row['stage']} | {row['case']} | {by} | {row['from']} | {values} |")
    return "\n".join(lines)


_COLUMNS = ("loss", "weights", "logits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write into {PAGE.name}")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        jobs = json.loads((arguments.worker / "jobs.json").read_text(encoding="utf-8"))
        work(arguments.worker, jobs)
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        run_sharded(Path(name))
        text = table(measure(Path(name)), time.monotonic() - began)
    print(text)
    if arguments.write:
        from lawcheck.files.atomic import write_text

        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
        write_text(PAGE, f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
