"""Jobs on a real Slurm: one machine, three virtual nodes, fake accelerators.

With accounting and without. The long form (make slurm) disturbs a whole study and compares it with
one that ran undisturbed.
"""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.pipeline.workflow import Workflow, as_text, shell_prefix
from lawcheck.planning.cluster import asked
from lawcheck.planning.site import Site

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "reproduce" / "slurm" / "one_machine.sh"
TARGET = "law_share_then_specialize"
# Takes the processors of n1 from jobs of partition low.
HIGH = ["sbatch", "-p", "high", "-c2", "--mem=100", "-o", "/dev/null", "--wrap", "sleep 5"]
LONG = os.environ.get("LAWCHECK_SLURM") == "long"


def started(folder, *accounting):
    if os.getuid() != 0 or not shutil.which("slurmctld") or not shutil.which("munged"):
        pytest.skip("needs root, slurm-wlm and munge: apt-get install slurm-wlm munge")
    if accounting and not (shutil.which("slurmdbd") and shutil.which("mariadbd")):
        pytest.skip("needs slurmdbd and mariadb-server: apt-get install slurmdbd mariadb-server")
    done = subprocess.run([SCRIPT, "start", folder, *accounting], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no Slurm could be started: {done.stderr.strip().splitlines()[-1]}")


def stopped(folder):
    for process in Tiny.started:
        process.kill()
    subprocess.run(["scancel", "--user=root"], check=False)
    within(30, lambda: not squeue("%i", "-t", "PENDING,RUNNING,COMPLETING"))
    subprocess.run([SCRIPT, "stop", folder], check=True)
    assert not Path("/etc/slurm/slurm.conf").is_symlink()
    assert not list(folder.glob("*.pid"))


@pytest.fixture
def cluster(tmp_path):
    """Without accounting, for one test."""
    started(tmp_path / "slurm")
    yield tmp_path / "slurm"
    stopped(tmp_path / "slurm")


@pytest.fixture(scope="module", params=["without accounting", "accounting"])
def shared(request, tmp_path_factory):
    """Folder of a Slurm for several tests, once without and once with accounting."""
    folder = tmp_path_factory.mktemp("slurm")
    started(folder, *(["accounting"] if request.param == "accounting" else []))
    yield folder
    stopped(folder)


@pytest.fixture
def accounted(shared, request):
    if request.node.callspec.params["shared"] != "accounting":
        pytest.skip("about accounting")
    return shared


@pytest.fixture
def either(shared, request):
    """With accounting; in the long form without it too."""
    if not LONG and request.node.callspec.params["shared"] != "accounting":
        pytest.skip("without accounting in the long form alone: make slurm")
    return shared


def on_path() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def bare(**more) -> dict[str, str]:
    """Nothing activated; the checkout under test stays importable."""
    kept = {k: v for k, v in os.environ.items() if k == "PYTHONPATH"}
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **kept, **more}


def squeue(form: str, *more: str) -> list[str]:
    command = ["squeue", "-h", "-o", form, *more]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def jobs() -> dict[str, str]:
    """Comment of a running job (rule and wildcards) -> id."""
    rows = (line.split() for line in squeue("%k %i", "-t", "RUNNING"))
    return {row[0]: row[1] for row in rows if len(row) == 2}


def within(seconds, look):
    """The first true value of `look`."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := look():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s")


SNAKEFILE = """
import json
from lawcheck.pipeline.cluster.executor import install
install()
def of(table):
    return lambda wildcards: table[wildcards.name]
rule all:
    default_target: True
    input: [f"out/{name}" for name in config["names"].split("-")]
    localrule: True
rule job:
    output: "out/{name}"
    resources:
        **{word: of(table) for word, table in json.load(open("ask.json")).items()}
    shell:
        "echo $SLURM_JOB_ID >> {wildcards.name}.attempts; "
        "bash {wildcards.name}.sh; touch {output}"
"""
# Holds on at the first attempt only, until something ends it.
STAY = "[ $(wc -l < {0}.attempts) -gt 1 ] || sleep 300"


class Tiny:
    """A workflow of one rule under the shipped profile. scripts: name of a job -> its script."""

    started: ClassVar[list[subprocess.Popen]] = []

    def __init__(self, folder, scripts, ask=None):
        self.folder, self.log = folder, folder / "snakemake.log"
        folder.mkdir(exist_ok=True)
        (folder / "Snakefile").write_text(SNAKEFILE)
        for name, script in scripts.items():
            (folder / f"{name}.sh").write_text(script.format(name) + "\n")
        (folder / "ask.json").write_text(json.dumps(ask or {}))
        self.config = ["names=" + "-".join(scripts)]

    def start(self, *more, default=("slurm_partition=main", "mem_mb=800", "runtime=5")):
        command = [
            *(sys.executable, "-m", "snakemake", "--profile", str(ROOT / "slurm")),
            *("--config", *self.config, "--default-resources", *default),
            *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5", *more),
        ]
        with self.log.open("a") as stream:
            self.process = subprocess.Popen(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=on_path(),
                cwd=self.folder,
                # Where the tests run in the background, their children inherit an ignored Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        self.started.append(self.process)
        return self

    def end(self, seconds=240):
        self.process.wait(timeout=seconds)
        return self.log.read_text()

    def attempts(self, name):
        path = self.folder / f"{name}.attempts"
        return path.read_text().split() if path.is_file() else []

    def running(self, name):
        """Id of a job whose script has begun."""
        return self.attempts(name) and jobs().get(f"rule_job_wildcards_{name}")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_jobs_that_are_cancelled_preempted_killed_or_lose_their_node_end_well(shared, tmp_path):
    memory = f"{sys.executable} -c 'import time; x = b\"x\" * (900 << 20); time.sleep(6)'"
    names = ("cancelled", "preempted", "fallen", "grown")
    where = dict.fromkeys(names, "main") | {"preempted": "low"}
    node = {"cancelled": "-w n2", "preempted": "-w n1", "fallen": "-w n2", "grown": "-w n1"}
    tiny = Tiny(
        tmp_path / "a b",
        {n: memory if n == "grown" else STAY for n in names},
        {"slurm_partition": where, "slurm_extra": node},
    ).start()
    within(60, lambda: all(tiny.running(n) for n in names))
    subprocess.run(["scancel", tiny.running("cancelled")], check=True)
    subprocess.run([SCRIPT, "down", shared, "n2"], check=True)
    subprocess.run(HIGH, check=True)
    within(60, lambda: "NODE_FAIL on n2; submitted again" in tiny.log.read_text())
    subprocess.run([SCRIPT, "up", shared, "n2"], check=True)
    text = tiny.end()
    assert tiny.process.returncode == 0, text[-4000:]
    assert "PREEMPTED on n1; submitted again, no attempt is lost" in text
    assert "ended as CANCELLED" in text
    # 800 MB, then as much again.
    assert "out of memory; a further attempt asks 1600 MB" in text
    assert text.count("Trying to restart job") == 2
    assert [len(tiny.attempts(n)) for n in names] == [2, 2, 2, 2]
    # A log of every attempt.
    logs = [p.stem for p in (tiny.folder / ".snakemake/slurm_logs").rglob("*.log")]
    assert sorted(logs) == sorted(i for n in names for i in tiny.attempts(n))


@pytest.mark.slow
def test_a_killed_head_leaves_jobs_that_the_next_one_names(either, tmp_path):
    tiny = Tiny(tmp_path, {"left": STAY}).start()
    number = within(60, lambda: tiny.running("left"))
    tiny.process.kill()
    tiny.end()
    head = re.search(r"SLURM run ID: (\S+)", tiny.log.read_text()).group(1)
    again = Tiny(tmp_path, {"left": STAY}).start()
    line = f"to end them: scancel --name={head}"
    within(60, lambda: line in again.log.read_text())
    # A third one, in the same folder, is not told of the second's jobs and leaves their logs.
    folder = tmp_path / ".snakemake/slurm_logs/rule_job/waiting"
    folder.mkdir(parents=True)
    beside = Tiny(tmp_path, {"beside": "true"}).start()
    assert beside.end().count("scancel --name=") == 2
    assert folder.is_dir()
    subprocess.run(["scancel", number], check=True)
    again.end()
    assert again.process.returncode == 0
    last = Tiny(tmp_path, {"last": "true"}).start()
    assert last.end().count("scancel --name=") == 2
    assert list((tmp_path / ".snakemake/slurm_heads").iterdir()) == []
    assert list((tmp_path / ".snakemake").glob("tmp.*")) == []


@pytest.mark.slow
def test_an_interrupted_head_cancels_its_jobs(either, tmp_path):
    tiny = Tiny(tmp_path, {"a": STAY, "b": STAY}).start()
    within(60, lambda: tiny.running("a") and tiny.running("b"))
    tiny.process.send_signal(signal.SIGINT)
    tiny.end(90)
    within(30, lambda: not jobs())


@pytest.mark.slow
def test_a_full_queue_delays_submissions_and_takes_no_attempt(accounted, tmp_path):
    tiny = Tiny(tmp_path, dict.fromkeys("abcde", "sleep 3")).start("--slurm-qos", "two")
    text = tiny.end()
    assert tiny.process.returncode == 0, text[-3000:]
    assert "is held back: " in text
    assert "Error in rule" not in text
    assert [len(tiny.attempts(n)) for n in "abcde"] == [1] * 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("default", "line"),
    [
        ("slurm_partition=man", "partition: 'man' does not exist; choose one of 00123, high, low"),
        ("slurm_account=chemistry", "account: 'chemistry' is none of yours; choose one of 00123, "),
        ("qos=three", "QOS: 'three' does not exist; choose one of normal, two"),
        ("gpu=1 gpu_model=a100", "GPU type: 'a100' is not in partition 'main'; it has h100"),
        ("constraint=ib", "constraint: no node of partition 'main' has 'ib'; there is none"),
        ("mem_mb=2000000", "memory: 2000000 MB a node asked, 1000000 at most in partition 'main'"),
        (
            "slurm_partition=short runtime=6",
            "time: 6 minutes asked, 5 at most in partition 'short'",
        ),
    ],
)
def test_what_the_cluster_lacks_is_one_line_before_any_submission(
    accounted, tmp_path, default, line
):
    given = {"slurm_partition": "main", "mem_mb": "800", "runtime": "5"}
    given |= dict(part.split("=") for part in default.split())
    tiny = Tiny(tmp_path, {"a": "true", "b": "true"})
    text = tiny.start(default=[f"{k}={v}" for k, v in given.items()]).end(60)
    assert tiny.process.returncode == 1
    assert f"slurm {line}" in text
    assert text.count("\nslurm ") == 1
    assert "submitted with" not in text
    assert len(text) < 2500


@pytest.mark.slow
def test_names_of_digits_a_bare_environment_and_no_home(either, tmp_path):
    """The real Snakefile, with nothing activated and no home folder."""
    accounting = (
        shutil.which("sacctmgr")
        and "physics"
        in subprocess.run(
            ["sacctmgr", "-nP", "show", "account", "format=account"], capture_output=True, text=True
        ).stdout
    )
    (tmp_path / "site.yaml").write_text("partition: 00123\n")
    command = [
        *(str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(ROOT / "slurm"), "--config", "scale=smoke", "results=02026"),
        *(["account=00123"] if accounting else []),
        *("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "1"),
        *("--default-resources", "mem_mb=1500", "runtime=10", "--"),
        "02026/smoke/corpus/manifest.json",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=bare(HOME="/dev/null"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    account = "00123" if accounting else "(null)"
    assert f"00123|{account}|{tmp_path}" in squeue("%P|%a|%Z", "-t", "all")
    assert not (tmp_path / "2026").exists()


@pytest.mark.slow
def test_accelerator_types_that_begin_with_a_digit_are_allocated(either, tmp_path):
    hardware = load_scale("gpu").hardware
    ask: dict[str, dict] = {}
    for name, kind in {"a": "4090", "b": "1g.10gb"}.items():
        resources = asked(hardware, 1, "evaluate", Site(partition="odd", gpu=kind))
        for word, value in (resources | {"mem_mb": 800, "runtime": 5}).items():
            ask.setdefault(word, {})[name] = value
    tiny = Tiny(tmp_path, dict.fromkeys("ab", 'test -n "$CUDA_VISIBLE_DEVICES"'), ask).start()
    text = tiny.end()
    assert tiny.process.returncode == 0, text[-3000:]
    assert [len(tiny.attempts(n)) for n in "ab"] == [1, 1]


@pytest.mark.slow
def test_an_outage_of_the_controller_is_waited_for(either, tmp_path):
    tiny = Tiny(tmp_path, {"a": "sleep 12"}).start()
    within(60, lambda: tiny.running("a"))
    # The controller saves its jobs every five seconds.
    time.sleep(6)
    subprocess.run([SCRIPT, "down", either, "slurmctld"], check=True)
    within(60, lambda: "Slurm does not answer" in tiny.log.read_text())
    subprocess.run([SCRIPT, "up", either, "slurmctld"], check=True)
    text = tiny.end()
    assert tiny.process.returncode == 0, text[-3000:]
    assert "Slurm answers again" in text
    assert len(tiny.attempts("a")) == 1


def test_states_are_one_word_and_reasons_are_slurms_own(tmp_path):
    executor = pytest.importorskip("lawcheck.pipeline.cluster.executor")
    assert executor._table("7|CANCELLED by 1000\n8|TIMEOUT\n9|\n") == {
        "7": "CANCELLED",
        "8": "TIMEOUT",
    }
    log = tmp_path / "log"
    log.write_text("torch.OutOfMemoryError: CUDA out of memory.")
    assert executor._short_of("FAILED", {}, log) is None
    log.write_text("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.")
    assert executor._short_of("FAILED", {}, log) == "mem_mb"
    assert executor._short_of("OUT_OF_MEMORY", {}, None) == "mem_mb"
    assert executor._short_of("TIMEOUT", {}, None) == "runtime"
    # Warned two minutes before the end, a training keeps a checkpoint and fails.
    warned = {"RunTime": "05:08:10", "TimeLimit": "05:10:00"}
    assert executor._short_of("FAILED", warned, None) == "runtime"
    assert executor._short_of("FAILED", {**warned, "RunTime": "00:00:09"}, None) is None
    assert executor._short_of("CANCELLED", warned, None) is None
    full = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed"
    assert executor.PASSING.search(full)
    assert not executor.PASSING.search("sbatch: error: invalid partition specified: man")


@pytest.mark.parametrize(("said", "state"), [("PENDING", "LOST"), ("COMPLETED", "COMPLETED")])
def test_a_job_that_only_the_database_knows_is_not_waited_for(monkeypatch, said, state):
    executor = pytest.importorskip("lawcheck.pipeline.cluster.executor")
    answers = {"squeue": "8|RUNNING\n", "sacct": f"7|{said}\n"}
    monkeypatch.setattr(executor, "_asked", lambda command: answers[command[0]])
    head = executor.Executor.__new__(executor.Executor)
    head._unlisted, head._silent, head.run_uuid = {}, False, "head"
    head._cluster = SimpleNamespace(accounts=("physics",))
    seen = [0.0]
    monkeypatch.setattr(executor.time, "monotonic", lambda: seen[0])
    early = head._states(["7", "8"])
    assert early.get("7") == (None if state == "LOST" else state)
    seen[0] = executor.UNLISTED_SECONDS + 1
    assert head._states(["7", "8"]) == {"7": state, "8": "RUNNING"}


def test_the_plugin_has_what_the_executor_overrides():
    executor = pytest.importorskip("lawcheck.pipeline.cluster.executor")
    mine = {n for n in vars(executor.Executor) if n in dir(executor.Submitting)}
    assert mine >= {
        *("run_job", "check_active_jobs", "cancel_jobs", "shutdown", "__post_init__"),
        *("get_account_arg", "get_partition_arg", "_report_job_error_threadsafe"),
    }


def test_a_log_of_every_attempt_is_kept(tmp_path):
    prefix = shell_prefix(None)
    for attempt in range(3):
        command = f"{prefix} keep log; echo {attempt} > log"
        subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    kept = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert kept == {"log": "2\n", "log.1": "0\n", "log.2": "1\n"}


def published(folder):
    """Verdict, scores, figures, and tables without measured time: relative path -> bytes."""
    files = [
        *(folder / "results/smoke/laws").glob("*"),
        *(folder / "results/smoke/tables").rglob("*"),
    ]
    files += (folder / "paper_figures").rglob("*")
    # Table 3 prints measured time; records beside the files hold time and hashes of that table.
    timed = ("table_3.", ".provenance.json", ".origin")
    kept = (f for f in files if f.is_file() and not any(part in f.name for part in timed))
    return {str(f.relative_to(folder)): f.read_bytes() for f in kept}


class Study:
    """The user's command at scale smoke, under a profile."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "snakemake.log"
        folder.mkdir()

    def start(self, profile, *more):
        command = [
            *(
                str(Path(sys.executable).parent / "snakemake"),
                "--snakefile",
                str(ROOT / "Snakefile"),
            ),
            *(
                "--profile",
                str(ROOT / profile),
                TARGET,
                "--config",
                "scale=smoke",
                "seeds=1",
                *more,
            ),
        ]
        with self.log.open("a") as stream:
            process = subprocess.Popen(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=bare(HOME=str(self.folder)),
                cwd=self.folder,
            )
        Tiny.started.append(process)
        return process

    def running(self, rule):
        found = (number for comment, number in jobs().items() if comment.startswith(f"rule_{rule}"))
        return next(found, None)

    def says(self, text):
        return text in self.log.read_text()

    def stall(self):
        """Stop a training of this study, as a hung file system would; whether there was one."""
        found = subprocess.run(["pgrep", "-f", "lawcheck train"], capture_output=True, text=True)
        for number in map(int, found.stdout.split()):
            try:
                if Path(f"/proc/{number}/cwd").resolve() == self.folder.resolve():
                    os.kill(number, signal.SIGSTOP)
                    return True
            except OSError:
                continue
        return False


SUBMITTED = (
    *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"),
    *("--default-resources", "mem_mb=1500", "runtime=10"),
)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_disturbed_study_ends_like_an_undisturbed_one(accounted, tmp_path):
    """Cancelled, preempted, without its node, over time, over memory, its head killed."""
    if not LONG:
        pytest.skip("the long form: make slurm")
    calm = Study(tmp_path / "calm")
    assert calm.start("local").wait() == 0, calm.log.read_text()[-3000:]
    study = Study(tmp_path / "disturbed")
    (study.folder / "site.yaml").write_text("account: '00123'\npartition: low\nqos: normal\n")
    disturbed = (
        *("partition=low", *SUBMITTED, "--set-resources", "judge:mem_mb=300", "train:runtime=1"),
        # Without the warning that would let it end before the limit.
        "train:slurm_extra=''",
    )
    head = study.start("slurm", *disturbed)
    subprocess.run(["scancel", within(300, lambda: study.running("corpus"))], check=True)
    within(300, lambda: study.running("train"))
    within(60, study.stall)
    within(180, lambda: study.says("ended as TIMEOUT"))
    within(120, lambda: study.running("train"))
    subprocess.run([*HIGH, "--account=physics"], check=True)
    within(120, lambda: study.says("PREEMPTED on n1; submitted again"))
    within(120, lambda: study.running("train"))
    subprocess.run([SCRIPT, "down", accounted, "n1"], check=True)
    within(120, lambda: study.says("NODE_FAIL on n1; submitted again"))
    subprocess.run([SCRIPT, "up", accounted, "n1"], check=True)
    within(120, lambda: study.running("train"))
    head.kill()
    head.wait()
    head = study.start("slurm", *disturbed)
    assert head.wait() == 0, study.log.read_text()[-4000:]
    text = study.log.read_text()
    for part in (
        "ended as CANCELLED",
        "an earlier Snakemake are still there",
        "out of memory; a further attempt asks 600 MB",
    ):
        assert part in text, text[-6000:]
    assert published(study.folder) == published(calm.folder)
    assert not squeue("%i", "-t", "PENDING,RUNNING")
    # Nothing in the home folder: it is the study's, and holds what a study has.
    kept = {".cache", ".snakemake", "results", "paper_figures", "site.yaml", "snakemake.log"}
    assert {p.name for p in study.folder.iterdir()} == kept


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
    one = submitted(asked(hardware, stage="evaluate", site=Site(gpu="4090", account="00123")))
    assert re.search(r"--gpus[= ]4090:1\b", one)
    assert "--gres" not in one
    assert "--nodes" not in one
    # One of eight accelerators, and its share of the node.
    assert "--cpus-per-task=8 " in one
    assert "--mem 62500 " in one


def test_jobs_without_accelerators_go_to_the_partition_for_them():
    hardware = load_scale("paper").hardware
    site = Site(partition="gpu", cpu_partition="cpu", qos="long", gpu="a100-80", constraint="ib")
    for stage in ("data", "light"):
        found = asked(hardware, stage=stage, site=site)
        assert found["slurm_partition"] == "cpu"
        assert not {"gpu", "gpu_model", "constraint"} & found.keys()
        assert found.get("mem_mb", 0) <= 16_000
    train = asked(hardware, site=site)
    assert (train["slurm_partition"], train["qos"], train["constraint"]) == ("gpu", "long", "ib")
    # The executor takes no hyphen in a type.
    assert "--gpus-per-node=a100-80:8" in train["slurm_extra"]
    assert "gres" not in train


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
    options = " --law share_then_specialize --account physics --partition main --gpu h100 "
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


def test_settings_that_look_like_numbers_stay_text(tmp_path):
    text = dry_run(tmp_path, "scale=smoke", "results=02026", "account=00123", "qos=1e3")
    assert " --results 02026 " in text
    assert "slurm_account=00123" in text
    assert "qos=1e3" in text
    with pytest.raises(InputError, match="setting results: found 2026, expected text; quote it"):
        Workflow({"results": 2026})
    assert as_text({"results": 2026, "figures": "f"}, ["results='2026'"]) == {"results": "2026"}
