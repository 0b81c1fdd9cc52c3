"""The committed scores still give the committed verdicts; older ones are still read."""

import json
from pathlib import Path

import pytest

from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.judging.judged import judge_file
from lawcheck.judging.verdict_forms import read_verdict, text, verdict_json
from lawcheck.show.page import words

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"
VERDICTS = [p for p in sorted(REFERENCE.glob("*/laws/*.json")) if "provenance" not in p.name]
RETRACTED = sorted(REFERENCE.glob("retracted/*/*.json"))
# Shares of draws: one draw may fall the other way on another machine.
DRAWN = ("posterior", "power")


def test_a_reference_is_committed():
    assert VERDICTS
    assert len(RETRACTED) == 6


@pytest.mark.parametrize("path", VERDICTS, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_judging_the_committed_scores_again_gives_the_same_verdict(path):
    law, scale = discovery.law(path.stem), load_scale(path.parts[-3])
    again = judge_file(law, [path.with_suffix(".scores.parquet")], scale)
    committed = json.loads(path.read_bytes())
    # A later version of lawcheck gives the same verdict under its own number.
    compare(again.to_dict() | {"lawcheck": committed["lawcheck"]}, committed)
    assert verdict_json(read_verdict(path)) == path.read_bytes()


def test_a_quick_verdict_decides_the_same():
    path = next(p for p in VERDICTS if p.stem == "base_model")
    scores = path.with_suffix(".scores.parquet")
    quick = judge_file(discovery.law(path.stem), [scores], load_scale("proxy"), quick=True)
    whole = read_verdict(path)
    assert (quick.outcome, quick.power) == (whole.outcome, ())
    assert [p.outcome for p in quick.parts] == [p.outcome for p in whole.parts]
    assert not any(p.posterior or p.designs or p.agreeing for p in quick.parts)
    assert any(p.posterior for p in whole.parts)


def compare(new, old, tolerance=1e-9):
    """Verdicts repeat to 1e-9 from machine to machine, their form to the byte."""
    if isinstance(old, dict):
        assert new.keys() == old.keys()
        for key in old:
            compare(new[key], old[key], 2e-3 if key in DRAWN else tolerance)
    elif isinstance(old, list):
        assert len(new) == len(old)
        for mine, theirs in zip(new, old, strict=True):
            compare(mine, theirs, tolerance)
    elif isinstance(old, float):
        assert new == pytest.approx(old, rel=tolerance, abs=tolerance)
    else:
        assert new == old


@pytest.mark.parametrize("path", RETRACTED, ids=lambda p: p.stem)
def test_verdicts_of_the_first_logic_are_read_printed_and_worded(path):
    old = read_verdict(path)
    assert (old.law, old.logic, old.power) == (path.stem, 1, ())
    assert verdict_json(old) == path.read_bytes()
    assert text(old).startswith(f"{old.law}: {old.outcome} at proxy scale")
    assert words.headline(old, True) == f"{old.outcome} at proxy scale"
    assert words.why(old).parts or old.outcome == "HOLDS"
