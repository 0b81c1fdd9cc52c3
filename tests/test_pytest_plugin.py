"""The plugin in a stranger's folder: their law, their scores, their tests, a fresh pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from lawcheck.cli.pytest_plugin import LawAssertions
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import scale_laws

LAW = """
from lawcheck.declare.design import Arm, Hypothesis, Law, difference

OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")

def part(name, arms, role="primary"):
    return Hypothesis(name=name, role=role, claim=name, estimand=difference(arms[:1], arms[1:]),
                      alternative="greater", sesoi=1.0)

LAW = Law(name="ours_wins", title="T", claim="ours beats theirs", source="our question",
          base=Arm(method="untrained"),
          hypotheses=(part("gain", (OURS, THEIRS)), part("loss", (THEIRS, OURS), "secondary")))
"""

TESTS = """
import pytest

def test_holds(lawcheck):
    lawcheck.assert_holds("law_ours_wins")

@pytest.mark.laws("ours_wins", roles=("primary", "secondary"))
def test_part(lawcheck, law_part):
    lawcheck.assert_part(*law_part)

@pytest.mark.laws
def test_every_law(lawcheck, law_name):
    assert lawcheck.judge(law_name).outcome != "CONTRADICTED"
"""


def law():
    found: dict = {}
    exec(LAW, found)
    return found["LAW"]


@pytest.fixture
def stranger(tmp_path):
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "ours.py").write_text(LAW)
    (tmp_path / "test_theirs.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nlawcheck_laws = laws\naddopts = -q -rfs\n")
    return tmp_path


def write_scores(folder: Path, gain: float, seeds: int = 4, arms=("ours", "theirs")) -> None:
    rng = np.random.default_rng(5)
    lines = ["arm,seed,task,item_id,value"]
    for arm in arms:
        for seed in range(seeds):
            for task in ("math", "biology"):
                right = rng.random(250) < 0.5 + (gain if arm == "ours" else 0)
                lines += [f"{arm},{seed},{task},q{i},{int(r)}" for i, r in enumerate(right)]
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LAWCHECK_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_shown_part_passes_and_the_opposite_explains_itself(stranger):
    write_scores(stranger, 0.2)
    code, out = run(stranger, "--lawcheck-scores", "scores.csv", "-k", "not every_law")
    assert code == 1, out
    assert "2 passed" in out
    assert "FAILED test_theirs.py::test_part[ours_wins-loss]" in out
    for told in (
        "AssertionError: law ours_wins: loss is not shown",
        "secondary loss: reversed",
        "90 % interval -",
        "smallest effect of interest 1 points",
        "4 seeds, 500 items, p ",
        "at 80 % power",
    ):
        assert told in out
    # What stands beside a verdict takes longer than the verdict.
    assert "probability:" not in out
    # The reader sees their own test, nothing of ours.
    assert "lawcheck.assert_part(*law_part)" in out
    assert "pytest_plugin.py" not in out


def test_an_open_law_says_what_would_settle_it(stranger):
    write_scores(stranger, 0.06, seeds=2)
    # Every law found: the built-in ones have no scores here and skip by themselves.
    code, out = run(stranger, "--lawcheck-scores", "scores.csv", "-k", "holds or every_law")
    assert code == 1, out
    assert "law ours_wins: INCONCLUSIVE" in out
    assert "needs 3 seeds, found 2; add them to the scores" in out
    assert f"1 passed, {len(scale_laws(load_scale('proxy')))} skipped" in out
    assert "law_share_then_specialize" in out


def test_missing_scores_skip_with_the_command(stranger):
    code, out = run(stranger, "-k", "part")
    assert code == 0, out
    assert "2 skipped" in out
    assert "run: snakemake --profile local law_ours_wins" in out


@pytest.mark.parametrize("reason", ["no score table", "no such file", "needs arm 'theirs'"])
def test_missing_scores_of_any_kind_fail_if_strict(tmp_path, reason):
    write_scores(tmp_path, 0.2, arms=("ours",))
    name = "absent.csv" if reason == "no such file" else "scores.csv"
    files = [] if reason == "no score table" else [tmp_path / name]
    message = f"{reason}.*; (add them to the scores|run: snakemake --profile local law_ours_wins)"
    for strict, kind in ((False, pytest.skip.Exception), (True, pytest.fail.Exception)):
        laws = LawAssertions(files=files, scale="", strict=strict, root=tmp_path)
        with pytest.raises(kind, match=message):
            laws.assert_holds(law())


def test_broken_scores_fail_whether_strict_or_not(tmp_path):
    write_scores(tmp_path, 0.2)
    path = tmp_path / "scores.csv"
    path.write_text(path.read_text() + "ours,0,math,q0,1\n")
    laws = LawAssertions(files=[path], scale="", strict=False, root=tmp_path)
    with pytest.raises(pytest.fail.Exception, match="item 'q0' stands twice"):
        laws.judge(law())
    with pytest.raises(pytest.fail.Exception, match="unknown; known: "):
        laws.judge("elsewhere")


def test_a_scale_finds_the_scores_its_workflow_left(tmp_path):
    laws = LawAssertions(files=[], scale="smoke", strict=True, root=tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"laws/ours_wins\.scores\.parquet: no such"):
        laws.judge(law())


def test_an_unknown_part_names_the_nearest(tmp_path):
    write_scores(tmp_path, 0.2)
    laws = LawAssertions(files=[tmp_path / "scores.csv"], scale="", strict=False, root=tmp_path)
    laws.assert_holds(law())
    with pytest.raises(pytest.fail.Exception, match=r"no hypothesis 'gian'.*nearest: gain"):
        laws.assert_part(law(), "gian")


def test_an_unknown_law_stops_collection_in_one_line(stranger):
    (stranger / "test_theirs.py").write_text(
        'import pytest\n\n@pytest.mark.laws("our_wins")\ndef test_part(law_part):\n    pass\n'
    )
    code, out = run(stranger)
    assert code == 2
    assert "law 'our_wins': unknown; nearest: ours_wins" in out
    assert "Traceback" not in out


def test_the_plugin_is_installed_and_costs_nothing_at_start():
    assert "lawcheck.cli.pytest_plugin" in {e.value for e in entry_points(group="pytest11")}
    code = (
        "import sys, pytest; before = set(sys.modules); import lawcheck.cli.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The package itself says where its modules have moved.
    itself = {"lawcheck", "lawcheck.files", "lawcheck.files.moved"}
    assert set(done.stdout.split()) <= itself | {"lawcheck.cli", "lawcheck.cli.pytest_plugin"}


def test_law_files_that_are_not_there_end_the_run(stranger):
    code, said = run(stranger, "--lawcheck-laws", "lawz")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "lawz': no such file or folder; name one" in said
