"""SIGTERM and Ctrl-C: a checkpoint, one line, 128 + signal, and the same bits afterwards."""

import re
import signal

import pytest
from crash_points import Spec
from studies import differences, digests
from verbs_in_turn import ROOT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_asked_to_end_keeps_a_checkpoint(lawcheck, training, expected, number):
    folder, words = training
    spec = Spec(at=1, side="after", signal=number, kinds=("on_step_end",))
    ended = lawcheck.run(folder, words, spec)
    assert ended.status == 128 + number
    assert "Traceback" not in ended.said
    line = next(x for x in ended.said.splitlines() if x.startswith("lawcheck: "))
    assert re.search(
        rf"ended by {number.name}: run '\S+', checkpoint of step [12] of \d+ kept", line
    )
    assert len(list((folder / ROOT).rglob("trainer_state.json"))) == 1
    assert lawcheck.run(folder, words).status == 0
    found = digests(folder / ROOT)
    assert differences(found, {k: v for k, v in expected.items() if k in found}) == []


@pytest.mark.parametrize(("kind", "at"), [("mkstemp", 1), ("mkdtemp", 2), ("fsync", 6)])
def test_a_writer_asked_to_end_leaves_nothing_half_written(lawcheck, training, expected, kind, at):
    folder, words = training
    ended = lawcheck.run(folder, words, Spec(at=at, signal=signal.SIGTERM, kinds=(kind,)))
    assert ended.status == 128 + signal.SIGTERM
    assert "Traceback" not in ended.said
    assert not list((folder / ROOT).rglob("*.part"))
    found = digests(folder / ROOT)
    assert differences(found, {k: v for k, v in expected.items() if k in found}) == []
