"""A stranger's law of arms that start from arms, ended twice while the child trains."""

import json
import re
import signal
import time

import pytest
from studies import ROOT, Study, differences, digests, kill, leftovers, orphans
from verbs_in_turn import SCALE

from lawcheck.errors import InputError
from lawcheck.files.holding import held

NAME = "merge_beats_its_parents"
LAW = f"""
from lawcheck.declare.design import Hypothesis, Law, Recipe, arm, difference

FIRST = arm("full", Recipe(fraction=0.3))
CHILD = arm("full", Recipe(general_share=1.0), parents=[FIRST])
ADAPTED = arm("lora", Recipe(fraction=0.3), parents=[CHILD])
MERGED = arm("mean_merge", parents=[FIRST, CHILD])

LAW = Law(
    name="{NAME}",
    title="A mean of two models",
    claim="the mean of a model and its child beats the child",
    source="a stranger",
    shown=(ADAPTED,),
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="the mean of a model and its child beats the child",
            estimand=difference([MERGED], [CHILD]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
"""


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """The variables that name a folder with the law, and one with the merge of docs/adding.md."""
    folder = tmp_path_factory.mktemp("strangers")
    page = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    (merge,) = re.findall(
        r"^# my_methods/mean_merge.py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    for kind, name, text in (("laws", NAME, LAW), ("methods", "mean_merge", merge)):
        (folder / kind).mkdir()
        (folder / kind / f"{name}.py").write_text(text)
    return {f"LAWCHECK_{k.upper()}": str(folder / k) for k in ("laws", "methods")}


def child_trains(study):
    """Whether a live process holds the child's folder."""
    for lock in study.results.glob("runs/full.*--full.*/.lock"):
        try:
            with held(lock, "the child"):
                return False
        except InputError:
            return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_ended_during_the_child_comes_to_the_same_scores(tmp_path, strangers):
    # In turn at one place: adapters name the whole path of the model that they stand on.
    whole = Study(tmp_path / "study", SCALE, target=f"law_{NAME}")
    assert whole.start(**strangers).wait() == 0, whole.said()[-3000:]
    expected = digests(whole.results)
    whole.folder.rename(tmp_path / "whole")
    study = Study(tmp_path / "study", SCALE, target=f"law_{NAME}")
    # First it may keep a checkpoint, which the second one goes on from and does not end itself.
    for number in (signal.SIGTERM, signal.SIGKILL):
        engine = study.start(**strangers)
        limit = time.monotonic() + 600
        while not child_trains(study):
            assert engine.poll() is None, study.said()[-3000:]
            assert time.monotonic() < limit
            time.sleep(0.05)
        time.sleep(0.5)
        assert kill(engine, "all", number) == "train"
        engine.wait()
        while orphans(study.folder):
            time.sleep(0.1)
        assert not list(study.results.glob("runs/full.*--full.*/train.json"))
    assert list(study.results.glob("runs/full.*--full.*/checkpoints/checkpoint-*"))
    assert study.start(**strangers).wait() == 0, study.said()[-3000:]
    assert differences(digests(study.results), expected) == []
    assert not leftovers(study.results)

    (merge,) = study.results.glob("runs/full.*--mean_merge-*/train.json")
    assert json.loads(merge.read_text())["trained_rows"] is False
    (verdict,) = study.results.glob(f"laws/{NAME}.json")
    assert json.loads(verdict.read_text())["parts"][0]["n_items"] > 0
    study.words = ["--dry-run"]
    study.start(**strangers).wait()
    assert "Nothing to be done" in study.said()
