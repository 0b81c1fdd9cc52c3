"""The same command through Snakemake: killed part by part, twice at once, under a jumping clock."""

import os
import random
import shutil
import signal
import time

import pytest
from studies import Study, busy, differences, digests, kill, leftovers, orphans
from verbs_in_turn import LAW, ROOT, SCALE

from lawcheck.files.holding import held


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path, SCALE, target=f"law_{LAW}")


def until(engine, wanted, seconds=120):
    """Wait until something is so, or the engine has ended."""
    limit = time.monotonic() + seconds
    while not wanted() and engine.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    return wanted()


def compared(study, expected):
    return differences(digests(study.results), expected)


def trained(study):
    return list(study.results.glob("runs/*/train.json"))


@pytest.mark.slow
def test_the_same_command_goes_on_after_kills_of_every_part(study, expected):
    rng = random.Random(3)
    # The job of the second Snakemake outlives it: the third one's waits for the run it holds.
    for part, count in (("job", 0), ("engine", 1), ("shell", 2), ("all", 3)):
        engine = study.start()
        assert until(engine, lambda e=engine, n=count: len(trained(study)) >= n and busy(e))
        time.sleep(rng.uniform(0, 0.3))
        assert kill(engine, part)
        status = engine.wait()
        # Snakemake goes on with what is left, and says that a job failed.
        assert status == (1 if part in ("job", "shell") else -signal.SIGKILL), study.said()[-2000:]
    assert study.start().wait() == 0, study.said()[-3000:]
    while orphans(study.folder):
        time.sleep(0.2)
    assert compared(study, expected) == []
    assert not [x for x in leftovers(study.results) if "part" not in x]
    study.words = ["--dry-run"]
    study.start().wait()
    assert "Nothing to be done" in study.said()


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_is_refused_in_one_line(study):
    with held(study.results / ".lock", "it"):
        assert study.start().wait() == 1
    said = [line for line in study.said().splitlines() if "locked by process" in line]
    assert said == [
        f"results folder '{ROOT}': locked by process {os.getpid()} on {os.uname().nodename}, "
        f"expected no live writer; wait for it or end it, then start again"
    ]
    assert "Traceback" not in study.said()
    assert not (study.results / "corpus").exists()


@pytest.mark.slow
def test_terminating_a_study_ends_its_jobs_and_it_goes_on(study, expected):
    engine = study.start()
    assert until(engine, lambda: list(study.results.glob("runs/*/.lock")))
    kill(engine, "all", signal.SIGTERM)
    assert engine.wait() == 1
    # The jobs' shells end at once; a training first writes its checkpoint.
    while orphans(study.folder):
        time.sleep(0.1)
    log = "".join(p.read_text() for p in study.results.glob("logs/train.*.log"))
    assert "lawcheck: ended by SIGTERM: " in log
    assert study.start().wait() == 0, study.said()[-3000:]
    assert compared(study, expected) == []


@pytest.mark.slow
def test_a_clock_that_jumps_changes_no_result_and_trains_nothing_again(study, whole, expected):
    shutil.copytree(whole, study.folder, dirs_exist_ok=True)
    records = {path: path.stat().st_mtime for path in trained(study)}
    study.words = ["--dry-run"]
    study.start().wait()
    assert "Nothing to be done" in study.said()
    study.words = []
    # The corpus as if written by a clock that was a day ahead: newer than all that came of it.
    for path in (study.results / "corpus").iterdir():
        ahead = path.stat().st_mtime + 86400
        os.utime(path, (ahead, ahead))
    assert study.start().wait() == 0, study.said()[-3000:]
    assert "rule train" in study.said()
    assert compared(study, expected) == []
    assert {path: path.stat().st_mtime for path in trained(study)} == records


def test_a_changed_corpus_is_refused_whatever_its_clock_says(lawcheck, whole, stages, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    path = tmp_path / ROOT / "corpus" / "math.train.jsonl"
    stamp = path.stat().st_mtime - 86400
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    os.utime(path, (stamp, stamp))
    ended = lawcheck.run(tmp_path, max((w for w in stages if w[0] == "train"), key=len))
    assert ended.status == 2
    assert "corpus file math.train.jsonl" in ended.said
