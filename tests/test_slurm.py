"""The study on a real Slurm: one machine, two virtual nodes, fake accelerators."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.pipeline.workflow import Workflow, shell_prefix
from lawcheck.planning.cluster import asked

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "reproduce" / "slurm" / "one_machine.sh"
TARGET = "law_share_then_specialize"


@pytest.fixture
def cluster(tmp_path):
    if os.getuid() != 0 or not shutil.which("slurmctld") or not shutil.which("munged"):
        pytest.skip("needs root, slurm-wlm and munge: apt-get install slurm-wlm munge")
    folder = tmp_path / "slurm"
    started = subprocess.run([SCRIPT, "start", folder], capture_output=True, text=True)
    if started.returncode:
        pytest.skip(f"no Slurm could be started: {started.stderr.strip().splitlines()[-1]}")
    yield folder
    subprocess.run(["scancel", "--user=root"], check=False)
    subprocess.run([SCRIPT, "stop", folder], check=True)


def on_path() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def jobs() -> dict[str, str]:
    """Rule name -> id of a running job."""
    out = subprocess.run(
        ["squeue", "-h", "-t", "RUNNING", "-o", "%i %k"], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for line in out.splitlines():
        number, _, comment = line.partition(" ")
        found[re.sub(r"^rule_|_wildcards.*", "", comment)] = number
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_users_command_on_slurm_survives_a_cancelled_and_an_overrunning_job(cluster, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(ROOT / "slurm"), "--directory", str(folder), TARGET),
        *("--config", "scale=smoke", "seeds=1"),
        *("--default-resources", "slurm_partition=main", "mem_mb=1500", "runtime=10"),
        # No accounting database here, and a file system that shows files at once.
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
        *("--latency-wait", "5"),
        # Snakemake alone takes about 250 MB of a job: the first attempt of this rule overruns.
        *("--set-resources", "judge:mem_mb=120*attempt**4"),
    ]
    log = folder / "snakemake.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=on_path(), cwd=folder
        )
        cancelled = None
        while process.poll() is None:
            running = jobs()
            if cancelled is None and "train" in running:
                cancelled = running["train"]
                subprocess.run(["scancel", cancelled], check=True)
            time.sleep(1)
    text = log.read_text()
    assert process.returncode == 0, text[-3000:]
    assert cancelled is not None
    assert f"external_jobid: {cancelled}" in text, text[-3000:]
    assert "Error in rule judge" in text, text[-3000:]
    assert text.count("Trying to restart job") >= 2, text[-3000:]
    assert (folder / "results/smoke/laws/share_then_specialize.json").is_file()
    assert (folder / "results/smoke/benchmarks").is_dir()
    left = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout
    assert left.strip() == ""


def submitted(resources: dict) -> str:
    """The sbatch line of the executor plugin for these resources."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm.submit_string")

    class Resources(dict):
        __getattr__ = dict.__getitem__

    job = SimpleNamespace(
        resources=Resources(resources), threads=1, is_group=lambda: False, name="train"
    )
    params = {
        "run_uuid": "study",
        "slurm_logfile": "log",
        "comment_str": "rule_train",
        "account": "",
        "partition": "",
        "workdir": ".",
    }
    gres = importlib.import_module("snakemake_executor_plugin_slurm.utils").set_gres_string(job)
    return plugin.get_submit_command(job, params) + gres


def test_sbatch_lines_of_the_paper_scale():
    hardware = load_scale("paper").hardware
    assert (hardware.nodes, hardware.gpus_per_node) == (4, 8)
    line = submitted(asked(hardware, runs=1))
    assert "--nodes=4" in line
    assert "--gres=gpu:8" in line
    assert "--ntasks=4" in line or "--ntasks 4" in line
    assert "--ntasks-per-gpu" not in line
    assert f"--cpus-per-task={hardware.cpus_per_node}" in line
    assert f"--mem {hardware.memory_mb}" in line
    one = submitted(asked(hardware, runs=1, training=False))
    assert re.search(r"--gpus[= ]1\b", one)
    assert "--nodes" not in one


def dry_run(folder, *settings: str) -> str:
    """What Snakemake would run for a law, with its shell commands."""
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--dry-run", "--printshellcmds", "--cores", "1", TARGET),
        *("--config", "seeds=1", *settings),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=on_path(), cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout + done.stderr


def test_at_the_papers_scale_the_doctor_comes_first_and_srun_starts_every_node(tmp_path):
    names = ("law=share_then_specialize", "partition=main", "account=physics", "gpu=h100")
    text = dry_run(tmp_path, "scale=paper", *names)
    options = " --law share_then_specialize --partition main --account physics --gpu h100 "
    looks = [line for line in text.splitlines() if "lawcheck doctor --scale paper" in line]
    assert len(looks) == 1
    assert options in looks[0]
    trained = [line for line in text.splitlines() if "lawcheck train --scale paper" in line]
    assert trained
    for line in trained:
        assert re.search(r"srun --nodes=4 --ntasks-per-node=1 .*lawcheck train ", line)
    assert not re.search(r"srun .*lawcheck evaluate", text)


def test_where_bases_are_built_here_nothing_is_looked_up_and_nothing_started_by_srun(tmp_path):
    text = dry_run(tmp_path, "scale=smoke")
    assert "preflight" not in text
    assert "srun" not in text


def test_rules_find_the_program_beside_the_interpreter_with_nothing_activated(tmp_path):
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    if "PYTHONPATH" in os.environ:
        bare["PYTHONPATH"] = os.environ["PYTHONPATH"]
    command = [
        *(str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(ROOT / "local"), "--config", "scale=smoke", "--"),
        "results/smoke/corpus/manifest.json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=bare, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


def test_without_the_program_no_job_starts(tmp_path):
    with pytest.raises(InputError, match=r"no program lawcheck beside it; install"):
        shell_prefix(str(tmp_path / "python"))
    (tmp_path / "lawcheck").touch()
    assert f"PATH={tmp_path}:$PATH" in shell_prefix(str(tmp_path / "python"))


def test_a_retry_asks_for_more_time_and_memory():
    resources = Workflow({"scale": "smoke"}).resources()
    batch = next(iter(Workflow({"scale": "smoke"}).batches))
    wildcards = SimpleNamespace(batch=batch)
    first, second = (
        {n: of(wildcards, attempt=k) if callable(of) else of for n, of in resources.items()}
        for k in (1, 2)
    )
    assert second["mem_mb"] == 2 * first["mem_mb"]
    assert second["runtime"] >= 2 * first["runtime"] - 1
    assert second["cpus_per_task"] == first["cpus_per_task"]


def test_stopping_leaves_no_daemon_and_no_link(cluster):
    subprocess.run([SCRIPT, "stop", cluster], check=True)
    assert not Path("/etc/slurm/slurm.conf").is_symlink()
    assert not list(cluster.glob("*.pid"))
