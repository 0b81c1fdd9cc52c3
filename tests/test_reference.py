"""The committed scores still give the committed verdicts and tables."""

import json
from pathlib import Path

import pytest

from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.judging.judged import judge_file
from lawcheck.judging.verdict_forms import read_verdict, verdict_json

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"
VERDICTS = [p for p in sorted(REFERENCE.glob("*/laws/*.json")) if "provenance" not in p.name]

NUMBERS = ("estimate", "se", "df", "low", "high", "p", "p_opposite", "holm", "holm_opposite", "mde")


def test_a_reference_is_committed():
    assert VERDICTS


@pytest.mark.parametrize("path", VERDICTS, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_judging_the_committed_scores_again_gives_the_same_verdict(path):
    law, scale = discovery.law(path.stem), load_scale(path.parts[-3])
    again = judge_file(law, [path.with_suffix(".scores.parquet")], scale)
    committed = read_verdict(path)
    assert again.outcome == committed.outcome
    assert again.scores_digest == committed.scores_digest
    compare(again.parts, committed.parts)
    assert [w.discipline for w in again.without] == [w.discipline for w in committed.without]
    for new, old in zip(again.without, committed.without, strict=True):
        compare(new.parts, old.parts)
    # Verdicts repeat to 1e-9 from machine to machine, their form to the byte.
    assert json.loads(path.read_bytes()).keys() == json.loads(verdict_json(again)).keys()
    assert verdict_json(committed) == path.read_bytes()


def compare(new_parts, old_parts):
    assert [p.name for p in new_parts] == [p.name for p in old_parts]
    for new, old in zip(new_parts, old_parts, strict=True):
        assert new.outcome == old.outcome
        for field in NUMBERS:
            mine, theirs = getattr(new, field), getattr(old, field)
            assert (mine is None) == (theirs is None)
            if mine is not None:
                assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9)
