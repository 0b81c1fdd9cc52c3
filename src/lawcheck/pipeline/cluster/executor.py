"""Snakemake's Slurm executor, with the life of a job as clusters have it.

Submission, logs and options are those of snakemake-executor-plugin-slurm (`--slurm-...`), which
`install` leaves in place. What differs:

- What the jobs ask is compared with the cluster before the first submission, one line each.
- States come from squeue, of jobs that it no longer lists from sacct: with and without accounting,
  over an outage of the controller, and for `CANCELLED by 1000`.
- A preempted job, and one whose node died, is submitted again and has lost no attempt.
- Memory and time grow only after a job ran out of them, up to what the partition gives.
- A full queue (limits on submitted jobs) and a controller that does not answer delay a submission.
- Jobs that an earlier Snakemake left behind are named, with the command that ends them.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_slurm import Executor as Submitting
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from lawcheck.errors import InputError
from lawcheck.files.holding import held, is_held
from lawcheck.pipeline.cluster.limits import Ask, differences, largest_mb, longest
from lawcheck.pipeline.cluster.reading import Cluster, read_cluster

HEADS = Path(".snakemake/slurm_heads")
WELL = "COMPLETED"
LOST = "LOST"
# Ends that say nothing about the job.
INTERRUPTED = {"PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED"}
ENDED = {"CANCELLED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT", "ERROR", LOST, *INTERRUPTED}
MOST_RESUBMISSIONS = 50
# How long a job may be in no list before it counts as lost: the database hears of it late.
UNLISTED_SECONDS = 300
QUERY_SECONDS = 60
# Seconds before the end that a job is warned (planning.cluster.SIGNAL), and Slurm's own rounding.
WARNED_SECONDS = 120 + 60
HOLD_SECONDS = (5, 10, 20, 30)
# Of sbatch: the queue is full for this user, or the controller is away. Both pass.
PASSING = re.compile(
    r"MaxSubmit|MaxJobCount|Unable to contact slurm|Socket timed out|temporarily unable|"
    r"Connection (refused|reset|timed out)|Zero Bytes were transmitted|Transport endpoint|"
    r"Unable to connect to the controller|Message receive failure"
)
# Of Slurm itself: accelerators that run out of memory are helped by no larger job.
MEMORY = re.compile(r"oom[-_ ]kill event|exceeded (job |step )?memory limit|DUE TO MEMORY", re.I)
TIME = re.compile(r"DUE TO TIME LIMIT")


def install() -> None:
    """Make `--executor slurm` this executor, with the plugin's own options."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor


class Executor(Submitting):  # type: ignore[misc]
    def __post_init__(self, test_mode: bool = False) -> None:
        self._closing = threading.Event()
        self._grown: Counter[tuple[Any, str]] = Counter()
        self._first: dict[tuple[Any, str], int] = {}
        self._resubmitted: Counter[Any] = Counter()
        self._passing: dict[Any, str] = {}
        self._unlisted: dict[str, float] = {}
        self._silent = False
        try:
            self._cluster = read_cluster()
        except InputError as error:
            raise WorkflowError(str(error)) from None
        refused = [*_refused(self._cluster, self.workflow.dag)]
        if refused:
            raise WorkflowError("\n".join(("nothing was submitted:", *refused)))
        super().__post_init__(test_mode)
        self._stack = ExitStack()
        folder = HEADS / self.run_uuid
        self._stack.enter_context(held(folder / "lock", f"Slurm run {self.run_uuid}"))
        # The base class keeps job scripts there and removes the folder at the end.
        self._tmpdir = str(folder)
        for line in left_behind(Path(self.workflow.workdir_init)):
            self.logger.warning(line)

    # ------------------------------------------------------------------ submission

    def run_job(self, job: Any) -> None:
        seconds = [*HOLD_SECONDS]
        while not self._closing.is_set():
            self._grow(job)
            self._passing.pop(job, None)
            super().run_job(job)
            reason = self._passing.get(job)
            if reason is None:
                return
            if len(seconds) == len(HOLD_SECONDS):
                self.logger.info(f"{_label(job)} is held back: {reason}")
            self._closing.wait(seconds.pop(0) if len(seconds) > 1 else seconds[0])

    def _grow(self, job: Any) -> None:
        """Let the job ask for more of what it ran out of."""
        for name, most in (("mem_mb", largest_mb), ("runtime", longest)):
            steps = self._grown[job, name]
            asked = getattr(job.resources, name, None)
            if not isinstance(asked, int):
                continue
            first = self._first.setdefault((job, name), asked)
            if steps:
                limit = most(self._cluster, Ask.of(_resources(job)))
                setattr(job.resources, name, min(max(asked, first * (1 + steps)), limit or 1 << 62))

    def get_account_arg(self, job: Any) -> Iterator[str]:
        """No guess from earlier jobs: without an account, Slurm takes the user's default."""
        account = job.resources.get("slurm_account")
        yield f" -A {shlex.quote(str(account))}" if account else ""

    def get_partition_arg(self, job: Any) -> str:
        partition = job.resources.get("slurm_partition")
        return f" -p {shlex.quote(str(partition))}" if partition else ""

    def _report_job_error_threadsafe(self, job_info: Any, msg: str) -> None:
        """What sbatch refused: left to `run_job` where that passes, else one line."""
        reason = _one_line(re.sub(r"(?s)\n +sbatch (call|script):.*", "", msg))
        if PASSING.search(msg):
            self._passing[job_info.job] = reason
        else:
            super()._report_job_error_threadsafe(job_info, f"{reason} ")

    # ------------------------------------------------------------------ watching

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncIterator[Any]:
        initial = self.workflow.executor_settings.init_seconds_before_status_checks
        if not active_jobs:
            self.next_seconds_between_status_checks = initial
            return
        async with self.status_rate_limiter:
            states = await asyncio.to_thread(self._states, [j.external_jobid for j in active_jobs])
        any_ended = False
        for job in active_jobs:
            state = states.get(job.external_jobid, "")
            if state == WELL:
                self._keep_or_remove_log(job)
                self.report_job_success(job)
            elif state in ENDED:
                self._ended(job, state)
            else:
                yield job
                continue
            any_ended = True
        waited = self.next_seconds_between_status_checks or initial
        # squeue forgets a job after MinJobAge.
        ceiling = max(min(180, self._cluster.job_age_seconds // 3), 1)
        self.next_seconds_between_status_checks = min(
            initial if any_ended else 1.5 * waited, ceiling
        )

    def _states(self, jobs: list[str]) -> dict[str, str]:
        """Job id -> state in one word; without those that nobody can tell now."""
        listed = _asked(["squeue", "-h", "-r", "-t", "all", "-o", "%i|%T", "-n", self.run_uuid])
        if listed is None:
            if not self._silent:
                self.logger.warning("Slurm does not answer; jobs run on, waiting for it.")
            self._silent = True
            return {}
        if self._silent:
            self.logger.warning("Slurm answers again.")
        self._silent = False
        states = _table(listed)
        absent = [j for j in jobs if j not in states]
        if absent and self._cluster.accounts is not None:
            command = ["sacct", "-nXP", "-o", "JobID,State", "-j", ",".join(absent)]
            # A controller that died before it saved a job leaves it pending there for ever.
            ended = _table(_asked(command) or "").items()
            states |= {job: state for job, state in ended if state == WELL or state in ENDED}
        now = time.monotonic()
        for job in jobs:
            if job in states:
                self._unlisted.pop(job, None)
            elif now - self._unlisted.setdefault(job, now) > UNLISTED_SECONDS:
                states[job] = LOST
        return states

    def _ended(self, job_info: Any, state: str) -> None:
        job, number = job_info.job, job_info.external_jobid
        log = job_info.aux.get("slurm_logfile")
        told = _pairs(_asked(["scontrol", "-o", "show", "job", number]) or "")
        what = f"{_label(job)}: Slurm job {number} ended as {state}"
        where = told.get("NodeList", "")
        what += f" on {where}" if where and where != "(null)" else ""
        if state in INTERRUPTED and self._resubmitted[job] < MOST_RESUBMISSIONS:
            self._resubmitted[job] += 1
            if not self._closing.is_set():
                self.logger.warning(f"{what}; submitted again, no attempt is lost")
                self._job_submission_executor.submit(self.run_job, job)
            return
        short = _short_of(state, told, log)
        if short:
            self._grown[job, short] += 1
            what += f", out of {'memory' if short == 'mem_mb' else 'time'}"
            what += self._next(job, short)
        self.report_job_error(job_info, msg=f"{what}. ", aux_logs=[str(log)] if log else [])

    def _next(self, job: Any, short: str) -> str:
        """What the next attempt asks for in place of what was short."""
        unit = "MB" if short == "mem_mb" else "minutes"
        most = largest_mb if short == "mem_mb" else longest
        first = self._first.get((job, short))
        if first is None:
            return ""
        wanted = first * (1 + self._grown[job, short])
        limit = most(self._cluster, Ask.of(_resources(job)))
        capped = limit is not None and wanted > limit
        word = f" (all that partition and QOS give; {wanted} would be next)" if capped else ""
        return f"; a further attempt asks {min(wanted, limit or wanted)} {unit}{word}"

    def _keep_or_remove_log(self, job_info: Any) -> None:
        log = job_info.aux.get("slurm_logfile")
        if log is not None and not self.workflow.executor_settings.keep_successful_logs:
            Path(log).unlink(missing_ok=True)

    # ------------------------------------------------------------------ the end

    def cancel_jobs(self, active_jobs: list[Any]) -> None:
        """Whatever carries this run's name, those under submission included."""
        self._closing.set()
        self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
        if _asked(["scancel", "--name", self.run_uuid, "--user", getpass.getuser()]) is None:
            self.logger.warning(f"jobs may run on; end them: scancel --name={self.run_uuid}")

    def shutdown(self) -> None:
        self._closing.set()
        super().shutdown()
        self._stack.close()


def _refused(cluster: Cluster, dag: Any) -> Iterator[str]:
    """A line for each thing that jobs ask and the cluster does not give."""
    rules: dict[Ask, set[str]] = {}
    for job in dag.needrun_jobs():
        if job.is_local or job.is_group():
            continue
        rules.setdefault(Ask.of(_resources(job)), set()).add(job.rule.name)
    lines: dict[str, set[str]] = {}
    for ask, names in rules.items():
        found = [f"{what}: {line}" for what, line in differences(cluster, ask)]
        for line in found or _tested(ask):
            lines.setdefault(line, set()).update(names)
    for line, names in lines.items():
        shown = sorted(names)
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        yield f"slurm {line} (rule {', '.join(shown[:3])}{more}); correct site.yaml or the ask"


def _tested(ask: Ask) -> list[str]:
    """What Slurm itself says to such a job, without submitting it."""
    command = ["sbatch", "--test-only", f"--nodes={ask.nodes}", f"--cpus-per-task={ask.cpus}"]
    named = {
        "--partition": ask.partition,
        "--account": ask.account,
        "--qos": ask.qos,
        "--constraint": ask.constraint,
        "--mem": ask.memory_mb,
        "--time": ask.minutes,
        "--gpus-per-node": f"{ask.gpu}:{ask.gpus}".lstrip(":") if ask.gpus else "",
    }
    command += [f"{name}={value}" for name, value in named.items() if value]
    try:
        done = subprocess.run(
            [*command, "--wrap", "true"], capture_output=True, text=True, timeout=QUERY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"sbatch: {error}"]
    if done.returncode == 0 or PASSING.search(done.stderr):
        return []
    return [f"ask: {_one_line(done.stderr.strip())}"]


def left_behind(folder: Path) -> Iterator[str]:
    """A line for each earlier Snakemake of this folder that ended before its jobs did.

    What dead ones left on the disk goes where no job needs it any more.
    """
    listed = _asked(["squeue", "-h", "-u", getpass.getuser(), "-o", "%j|%T|%Z|%k"])
    jobs: dict[str, Counter[str]] = {}
    for line in (listed or "").splitlines():
        name, state, where, comment = [*line.split("|", 3), "", "", ""][:4]
        here = comment.startswith(("rule_", "group_")) and Path(where) == folder
        if here and not is_held(HEADS / name / "lock"):
            jobs.setdefault(name, Counter())[state.lower()] += 1
    for name, states in jobs.items():
        counts = ", ".join(f"{n} {state}" for state, n in states.items())
        yield (
            f"{sum(states.values())} jobs of an earlier Snakemake are still there ({counts}); what "
            f"they write is locked until they end; to end them: scancel --name={name}"
        )
    if listed is None:
        return
    for path in HEADS.glob("*"):
        if path.name not in jobs and not is_held(path / "lock"):
            shutil.rmtree(path, ignore_errors=True)


def _short_of(state: str, told: Mapping[str, str], log: Any) -> str | None:
    """The resource that a job ran out of, by the name of it; None for any other end."""
    said = _tail(log)
    if state == "OUT_OF_MEMORY" or MEMORY.search(said):
        return "mem_mb"
    if state in ("TIMEOUT", "DEADLINE") or TIME.search(said):
        return "runtime"
    # A training that was warned in time keeps a checkpoint and fails before the limit.
    ran, limit = _seconds(told.get("RunTime", "")), _seconds(told.get("TimeLimit", ""))
    if state == "FAILED" and ran and limit and WARNED_SECONDS < limit <= ran + WARNED_SECONDS:
        return "runtime"
    return None


def _tail(log: Any) -> str:
    try:
        with open(str(log), "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - 20_000, 0))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _seconds(text: str) -> int:
    """Of [days-]hours:minutes:seconds; 0 for anything else."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    if not found:
        return 0
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _resources(job: Any) -> dict[str, Any]:
    return dict(job.resources.items())


def _label(job: Any) -> str:
    words = " ".join(job.wildcards) if job.wildcards else ""
    return f"{job.name} {words}".strip()


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", "; ", text.strip())


def _table(text: str) -> dict[str, str]:
    rows = (line.split("|") for line in text.splitlines() if "|" in line)
    return {row[0].strip(): row[1].split()[0] for row in rows if row[1].strip()}


def _pairs(line: str) -> dict[str, str]:
    return dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", line))


def _asked(command: list[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=QUERY_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
