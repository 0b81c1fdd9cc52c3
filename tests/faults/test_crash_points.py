"""Processes die at chosen writes; the same commands come to the same bits."""

import random
import shutil

import pytest
from chains import chain
from crash_points import Spec
from crash_sweep import places
from studies import differences, digests
from verbs_in_turn import ROOT


def test_a_study_killed_at_every_stage_ends_in_the_same_files(lawcheck, stages, expected, tmp_path):
    deaths = chain(lawcheck, tmp_path, stages, random.Random(7))
    assert sum(d.died for d in deaths) >= 10
    assert {d.verb for d in deaths if d.died} >= {"corpus", "train", "render"}
    assert differences(digests(tmp_path / ROOT), expected) == []
    assert not list((tmp_path / ROOT).rglob("checkpoints"))


@pytest.fixture(scope="module")
def trace(lawcheck, stages, whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    shutil.copytree(whole / ROOT / "corpus", folder / ROOT / "corpus")
    words = max((words for words in stages if words[0] == "train"), key=len)
    log = folder / "trace.txt"
    assert lawcheck.run(folder, words, Spec(trace=str(log)), checkpoint_seconds=0).status == 0
    return places(log)


@pytest.mark.parametrize(
    ("kind", "path", "side"),
    [
        ("save_to_json", "trainer_state.json", "torn"),
        ("save", "optimizer.pt", "torn"),
        ("save_file", "/.adapter", "torn"),
        ("replace", "-> results/small/runs", "before"),
        ("rmtree", "checkpoints", "before"),
        ("replace", "train.json", "before"),
        ("replace", "/s0-", "after"),
    ],
)
def test_a_run_that_died_at_a_write_is_made_whole(
    lawcheck, trace, training, expected, kind, path, side
):
    folder, words = training
    chosen = [n for n, k, p in trace if k == kind and path in p]
    assert chosen
    # Neither the first nor the last of its kind where there are several.
    spec = Spec(at=chosen[len(chosen) // 2], side=side)
    assert lawcheck.run(folder, words, spec, checkpoint_seconds=0).status == -9
    ended = lawcheck.run(folder, words, checkpoint_seconds=0)
    assert ended.status == 0, ended.said[-2000:]
    found = digests(folder / ROOT)
    assert differences(found, {k: v for k, v in expected.items() if k in found}) == []
    assert [k for k in found if k.startswith("batches/s0-") and k.endswith(".scores.json")]
    assert not list((folder / ROOT).rglob("checkpoints"))
