"""The wheel with its plain dependencies alone judges, asserts, imports, audits, plans and draws."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_importing import evaluated  # noqa: F401  (a fixture)
from test_pytest_plugin import LAW, TESTS, write_scores

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
HEAVY = ("accelerate", "datasets", "lm_eval", "peft", "snakemake", "tokenizers", "torch")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def light(wheel, tmp_path_factory) -> Path:
    """Folder of a fresh environment's programs; skips where no package index answers."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    lock = ROOT / "requirements.lock"
    command = [str(folder / "bin" / "pip"), "install", "--quiet", "--constraint", str(lock)]
    done = subprocess.run([*command, str(wheel), "pytest"], capture_output=True, text=True)
    if "No matching distribution" in done.stderr and "onnection" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run(program: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    unset = ("LAWCHECK_", "PYTEST_", "PYTHON")
    env = {k: v for k, v in os.environ.items() if not k.startswith(unset)}
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def lawcheck(light: Path, *arguments: object, cwd: Path) -> str:
    done = run(light / "lawcheck", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_tracked_file_of_the_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    listed = ["git", "ls-files", "src/lawcheck", "reproduce/scales", "reproduce/preregistered"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
        target = name.removeprefix("src/").replace("reproduce/", "lawcheck/_")
        assert target in held, name
    assert "lawcheck/py.typed" in held


def test_nothing_that_trains_is_installed(light, tmp_path):
    look = f"import importlib.util as u; print([m for m in {HEAVY} if u.find_spec(m)])"
    assert run(light / "python", "-c", look, cwd=tmp_path).stdout == "[]\n"


def test_committed_scores_get_their_verdict(light, tmp_path):
    committed = json.loads((REFERENCE / "proxy/laws/share_then_specialize.json").read_text())
    scores = REFERENCE / "proxy/laws/share_then_specialize.scores.parquet"
    options = ("--scale", "proxy", "--scores", scores, "--json", "verdict.json")
    lawcheck(light, "judge", "share_then_specialize", *options, cwd=tmp_path)
    again = json.loads((tmp_path / "verdict.json").read_text())
    for key in ("outcome", "preregistered", "scores_digest"):
        assert again[key] == committed[key], key
    for mine, theirs in zip(again["parts"], committed["parts"], strict=True):
        assert (mine["name"], mine["outcome"]) == (theirs["name"], theirs["outcome"])
        assert mine["estimate"] == pytest.approx(theirs["estimate"], rel=1e-9)


def test_the_public_names_judge_and_compare(light, tmp_path):
    write_scores(tmp_path, 0.2)
    code = (
        "from lawcheck import Arm, Hypothesis, Law, compare, difference, judge, load_scores; "
        "ours, theirs = Arm(method='ours'), Arm(method='theirs'); "
        "part = Hypothesis(name='gain', role='primary', claim='more', alternative='greater', "
        "sesoi=1.0, estimand=difference([ours], [theirs])); "
        "law = Law(name='mine', title='T', claim='c', source='s', hypotheses=(part,)); "
        "print(judge(law, load_scores('scores.csv')).outcome, "
        "compare('scores.csv', 'ours', 'theirs').to_frame().shape)"
    )
    assert run(light / "python", "-c", code, cwd=tmp_path).stdout == "HOLDS (3, 23)\n"
    assert lawcheck(light, "compare", "scores.csv", "ours", "theirs", cwd=tmp_path)


def test_laws_are_assertions(light, tmp_path):
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "ours.py").write_text(LAW)
    (tmp_path / "test_theirs.py").write_text(TESTS)
    write_scores(tmp_path, 0.2)
    options = ("--lawcheck-laws", "laws", "--lawcheck-scores", "scores.csv", "-k", "not every_law")
    done = run(light / "pytest", *options, cwd=tmp_path)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "law ours_wins: loss is not shown" in done.stdout


def test_a_harness_folder_is_imported(light, evaluated, tmp_path):  # noqa: F811
    (tmp_path / "map.yaml").write_text("tasks: {sums: math}\n")
    options = ("--out", "scores.parquet", "--map", "map.yaml")
    out = lawcheck(light, "import", evaluated, *options, cwd=tmp_path)
    assert "lora" in out
    assert (tmp_path / "scores.parquet").is_file()


def test_published_results_are_audited_drawn_and_reported(light, tmp_path):
    lawcheck(light, "audit", "--out", "audit", cwd=tmp_path)
    expected = (REFERENCE / "audit" / "audit.md").read_text()
    assert (tmp_path / "audit" / "audit.md").read_text() == expected
    shutil.copytree(REFERENCE / "proxy", tmp_path / "results" / "proxy")
    shutil.rmtree(tmp_path / "results" / "proxy" / "tables")
    drawn = lawcheck(light, "render", "share_then_specialize", cwd=tmp_path).splitlines()
    table = "proxy/tables/table_8.csv"
    assert f"results/{table}" in drawn
    assert (tmp_path / "results" / table).read_bytes() == (REFERENCE / table).read_bytes()
    assert any(line.startswith("paper_figures/proxy/figure_") for line in drawn)
    lawcheck(light, "report", "--from", "results/proxy", "--out", "report", cwd=tmp_path)
    assert "share_then_specialize" in (tmp_path / "report" / "index.html").read_text()


def test_laws_are_listed_and_planned(light, tmp_path):
    assert "share_then_specialize" in lawcheck(light, "list", "--names", cwd=tmp_path).split()
    plan = ("plan", "share_then_specialize", "--scale", "proxy", "--json")
    here = subprocess.check_output([sys.executable, "-m", "lawcheck", *plan], text=True, cwd=ROOT)
    assert json.loads(lawcheck(light, *plan, cwd=tmp_path)) == json.loads(here)


@pytest.mark.parametrize(
    ("verb", "lacks"),
    [(("train", "x"), "torch"), (("evaluate", "x"), "torch"), (("base",), "torch")],
)
def test_a_verb_that_needs_an_extra_names_it(light, tmp_path, verb, lacks):
    done = run(light / "lawcheck", *verb, cwd=tmp_path)
    line = f"lawcheck {verb[0]}: needs {lacks}, not installed; pip install 'lawcheck[train]'\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_doctor_names_what_training_lacks(light, tmp_path):
    done = run(light / "lawcheck", "doctor", "--scale", "gpu", cwd=tmp_path)
    assert done.returncode == 2
    assert "MISSING packages: " in done.stdout
    assert "torch is not installed" in done.stdout
    assert done.stderr.startswith("lawcheck: doctor: ")


def test_the_lock_holds_what_every_extra_asks_for():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock = dict(line.split("==") for line in lines if "==" in line)
    pinned = {canonicalize_name(name): version for name, version in lock.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # The site is built in an environment of its own, which docs.lock holds.
    extras = [e for name, e in project["optional-dependencies"].items() if name != "docs"]
    for line in [*project["dependencies"], *itertools.chain(*extras)]:
        wanted = Requirement(line)
        # The Makefile installs torch before the lock.
        if wanted.name not in ("torch", "lawcheck"):
            assert pinned[canonicalize_name(wanted.name)] in wanted.specifier, line
