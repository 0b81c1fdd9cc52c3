"""Random-effects means over studies, against published values, and what is not pooled."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from lawcheck.cli.main import main
from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.judging.replication import PUBLISHED, in_print, replicate
from lawcheck.judging.stats.meta import random_effects
from lawcheck.judging.verdict_forms import read_verdict, verdict_json
from lawcheck.show.printed import rows_of

FILE = Path(__file__).parents[1] / "results/reference/proxy/laws/share_then_specialize.json"
LAW = discovery.law("share_then_specialize")
# 13 trials of BCG against tuberculosis (Colditz et al. 1994): ill and well, vaccinated and not.
BCG = """4 119 11 128; 6 300 29 274; 3 228 11 209; 62 13536 248 12619; 33 5036 47 5761;
180 1361 372 1079; 8 2537 10 619; 505 87886 499 87892; 29 7470 45 7232; 17 1699 65 1600;
186 50448 141 27197; 5 2493 3 2338; 27 16886 29 17825"""


def test_the_mean_is_that_of_metafor():
    ill, well, ill_0, well_0 = np.array([r.split() for r in BCG.split(";")], float).T
    ratios = np.log(ill / (ill + well)) - np.log(ill_0 / (ill_0 + well_0))
    variances = 1 / ill - 1 / (ill + well) + 1 / ill_0 - 1 / (ill_0 + well_0)
    found = random_effects(ratios, np.sqrt(variances), 0.95)
    # rma(yi, vi, data=dat.bcg, test="knha") of metafor prints these.
    assert found.mean == pytest.approx(-0.7145, abs=5e-5)
    assert found.tau**2 == pytest.approx(0.3132, abs=5e-5)
    assert found.i2 == pytest.approx(0.9222, abs=5e-5)
    assert found.se == pytest.approx(0.1808, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-1.1084, -0.3206), abs=5e-5)


def test_equal_studies_have_no_spread_between_and_no_narrower_error():
    found = random_effects([1.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    assert found.tau == 0
    assert found.se == pytest.approx(0.5 / np.sqrt(3))
    assert found.predicted == pytest.approx((found.low, found.high))


def test_prediction_covers_one_more_study():
    rng = np.random.default_rng(0)
    covered, tried = 0, 400
    for _ in range(tried):
        truth = rng.normal(1.0, 0.6, 9)
        seen = truth[:8] + rng.normal(0, 0.3, 8)
        low, high = random_effects(seen, [0.3] * 8, 0.9).predicted
        covered += low <= truth[8] <= high
    assert 0.86 <= covered / tried <= 0.94


def verdicts(**shifts):
    """The published verdict, moved, as of other scales."""
    verdict = read_verdict(FILE)

    def moved(part, by):
        if part.estimate is None or part.low is None:
            return part
        low, high = part.low + by, part.high + by
        return dataclasses.replace(part, estimate=part.estimate + by, low=low, high=high)

    return {
        scale: dataclasses.replace(
            verdict,
            scale=scale,
            scores_digest=scale,
            parts=tuple(moved(p, by) for p in verdict.parts),
        )
        for scale, by in shifts.items()
    }


def test_what_has_no_variance_or_did_not_test_is_shown_and_not_pooled():
    printed = in_print(LAW, rows_of(LAW))
    # Table 8, averages at 70 and 100 %: shared A 0.664 and 0.708, shared expert 0.667 and 0.676.
    assert printed["not_mere_sharing"] == pytest.approx(1.45)
    parts = {p.name: p for p in replicate(LAW, verdicts(a=0.0, b=0.3), printed)}
    share = parts["share"]
    assert [(f.study, f.why) for f in share.found] == [
        ("a", ""),
        ("b", ""),
        (PUBLISHED, "no variance"),
    ]
    assert share.pooled.k == 2
    own = next(p for p in read_verdict(FILE).parts if p.name == "share")
    assert share.pooled.mean == pytest.approx(own.estimate + 0.15)
    assert parts["specialise"].pooled is None
    assert {f.why for f in parts["specialise"].found} == {"not tested"}
    assert parts["cost"].pooled is None


def test_units_laws_and_scores_that_do_not_go_together_are_refused():
    both = verdicts(a=0.0, b=0.3)
    odd = [dataclasses.replace(p, unit="bits per byte") for p in both["b"].parts]
    with pytest.raises(
        InputError, match=r"part 'share' has unit 'points' in a and 'bits per byte'"
    ):
        replicate(LAW, both | {"b": dataclasses.replace(both["b"], parts=tuple(odd))})
    with pytest.raises(InputError, match="a verdict on 'share_then_specialize'"):
        replicate(discovery.law("variability"), both)
    with pytest.raises(InputError, match="b and a are judged on the same scores"):
        replicate(LAW, {"a": both["a"], "b": both["a"]})


def test_the_verb_prints_and_draws(tmp_path, capsys):
    other = tmp_path / "wide.json"
    other.write_bytes(verdict_json(verdicts(wide=0.4)["wide"]))
    figure = tmp_path / "share.png"
    words = ["replicate", LAW.name, str(FILE), str(other)]
    assert main([*words, "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    assert "mean of 2:" in said
    assert "not pooled: not tested" in said
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {p["name"] for p in found} == {h.name for h in LAW.hypotheses}
