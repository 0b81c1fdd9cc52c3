"""A stranger's law, method, table, figure and discipline, with no edit to the package.

The files are those of docs/adding.md, word for word.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from test_pytest_plugin import write_scores

from lawcheck.__main__ import main
from lawcheck.cli.main import EXAMPLES
from lawcheck.declare import discovery

ROOT = Path(__file__).resolve().parents[1]
LAW = "norms_match_lora"
BLOCK = re.compile(r"^```\w+\n# (my_\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KINDS = ("laws", "methods", "mixing", "tables", "figures", "disciplines")
# The page's scale, at a size for a test.
TINY = """
extends: {parent}
title: strangers
claims: false
seeds: [0, 1]
corpus: {{size: 1/30000, general_pool: 10}}
evaluation: {{items: 6, tune_items: 0, max_new_tokens: 8}}
hardware: {{runs_per_job: 20}}
"""


def write_page(folder: Path) -> Path:
    """Every file of the page, and tiny.yaml."""
    found = dict(BLOCK.findall((ROOT / "docs" / "adding.md").read_text(encoding="utf-8")))
    assert len(found) == 14
    for name, text in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "tiny.yaml").write_text(TINY.format(parent=folder / "my_scale.yaml"))
    return folder


def install(folder: Path, kinds) -> Path:
    """The files of some kinds as an installed distribution; returns its place on the path."""
    site = folder / "site"
    metadata = site / "strangers-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    lines = []
    for kind in kinds:
        package = site / f"strangers_{kind}"
        (folder / f"my_{kind}").rename(package)
        (package / "__init__.py").touch()
        lines.append(f"[lawcheck.{kind}]")
        for path in package.glob("[!_]*.py"):
            lines.append(f"{path.stem} = strangers_{kind}.{path.stem}")
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


def environment(folder: Path, in_folders, site: Path) -> dict[str, str]:
    variables = {f"LAWCHECK_{k.upper()}": str(folder / f"my_{k}") for k in in_folders}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **variables, "PATH": path, "PYTHONPATH": found}


def call(where: Path, env: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=where, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def snakemake(where: Path, env: dict[str, str], *words: str) -> str:
    profile = ROOT / "reproduce" / "profiles" / "local"
    fixed = ("snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(profile))
    scale = str(where / "tiny.yaml")
    return call(where, env, *fixed, "--directory", str(where), *words, "--config", f"scale={scale}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Law, method and rule as files in folders; table, figure and discipline as entry points."""
    folder = write_page(tmp_path_factory.mktemp("strangers"))
    site = install(folder, KINDS[3:])
    return folder, environment(folder, KINDS[:3], site)


@pytest.fixture(scope="module")
def study(place):
    folder, env = place
    snakemake(folder, env, f"law_{LAW}")
    return folder, env


def test_everything_is_found_the_other_way_round_too(tmp_path):
    folder = write_page(tmp_path)
    env = environment(folder, KINDS[3:], install(folder, KINDS[:3]))
    found = json.loads(call(folder, env, "lawcheck", "list", "--json"))
    assert LAW in {x["name"] for x in found["laws"]}
    assert "norm_tuning" in {x["name"] for x in found["methods"]}
    assert "by_loss" in {x["name"] for x in found["mixing"]}
    assert "sums" in {x["name"] for x in found["disciplines"]}
    code = "from lawcheck.show.registry import renderers as r; print(*r('tables'), *r('figures'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert {"norms_table", "averages", "arms", "hypotheses"} <= set(done.stdout.split())


def test_a_law_gets_a_target_a_plan_line_and_shares_runs(place):
    folder, env = place
    planned = call(folder, env, "lawcheck", "plan", LAW, "--scale", "tiny.yaml")
    assert "norm_tuning.d100" in planned
    targets = (f"law_{LAW}", "law_share_then_specialize", "--dry-run", "--printshellcmds")
    told = snakemake(folder, env, *targets)
    commands = re.findall(r"lawcheck train .*", told)
    trained = [run for c in commands for run in re.findall(r"\S+-s\d+-[0-9a-f]{12}", c)]
    assert sum(run.startswith("norm_tuning.d100-") for run in trained) == 2
    # One run a seed of what both laws want.
    both = [run for run in trained if run.startswith("base-")]
    assert len(both) == len(set(both)) == 2
    assert f"render_{LAW}" in told


GOOD = """
from lawcheck.declare.design import Arm, Hypothesis, Law, Recipe, arm, difference

OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")
PART = Hypothesis(name="gain", role="primary", claim="ours wins", sesoi=1.0,
                  estimand=difference([OURS], [THEIRS]), alternative="greater")

LAW = Law(name="good", title="Good", claim="ours wins", source="us", hypotheses=(PART,))
"""
BROKEN = {
    "syntax": ("x = (\n", 1),
    "import": ("import os\nimport not_there\n", 2),
    "raises": (GOOD.replace("LAW =", "1 / 0\nLAW ="), 8),
    "field": (GOOD.replace('"primary"', '"main"'), 5),
    "exit": ("import sys\n\nsys.exit('bye')\n", 3),
    "arguments": ("import sys\nprint('hello')\nsys.argv[1]\n", 3),
    "asks": ("input('which?')\n", 1),
    "moves": ("import os\nos.chdir('/')\n1 / 0\n", 3),
    "skips": ("import pytest\npytest.importorskip('not_there')\n", 2),
    "type": ("x = 1\nLAW = x\n", 2),
    "misnamed": (GOOD.replace("LAW =", "law ="), 8),
    "empty": ("x = 1\n", None),
    "bytes": (b"\xff\xfe", 1),
    "link": (None, None),
}
# Another file declares the name too.
TWICE = GOOD.replace('"good"', '"bad"')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of laws with one that works; what is put beside it is found."""
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "good.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAWCHECK_LAWS", "laws")
    discovery.forget()
    yield tmp_path / "laws"
    monkeypatch.undo()
    discovery.forget()


def asked(capsys, *words):
    """Status, stdout and lines of stderr."""
    discovery.forget()
    status = main(words)
    printed = capsys.readouterr()
    return status, printed.out, printed.err.splitlines()


@pytest.mark.parametrize("how", [*BROKEN, "twice"])
def test_a_broken_law_breaks_only_itself(folder, capsys, how):
    text, line = BROKEN.get(how, (TWICE, None))
    path = folder / "bad.py"
    if how == "link":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if how == "twice":
        (folder / "more.py").write_text(TWICE)
    where = "laws/bad.py" + (f" line {line}" if line else "")
    status, out, told = asked(capsys, "list", "--names")
    assert (status, "good" in out.split(), "bad" in out.split()) == (0, True, False)
    (fault,) = [t for t in told if t.startswith("lawcheck: ")]
    assert where in fault
    assert asked(capsys, "show", "good")[0] == 0
    # By its name and by its file.
    for word in ("bad", "laws/bad.py"):
        status, _, told = asked(capsys, "show", word)
        assert status == 2
        (fault,) = [t for t in told if t.startswith("lawcheck: ")]
        assert where in fault


def test_a_name_of_ours_stays_ours(folder, capsys):
    """So that `all` is what it was; the other file is named and can be asked for by no name."""
    (folder / "mine.py").write_text(GOOD.replace('"good"', '"variability"'))
    status, out, (told,) = asked(capsys, "show", "variability", "--json")
    assert status == 0
    assert json.loads(out)["study"] == "discipline_laws"
    assert "laws/mine.py" in told
    assert asked(capsys, "show", "laws/mine.py")[0] == 2


def test_files_of_one_name_in_two_folders_are_two(folder, capsys, monkeypatch):
    more = folder.parent / "more"
    more.mkdir()
    (more / "good.py").write_text(GOOD.replace('"good"', '"better"'))
    monkeypatch.setenv("LAWCHECK_LAWS", f"laws{os.pathsep}more")
    status, out, told = asked(capsys, "list", "--names", "--laws", "more/good.py")
    assert (status, told) == (0, [])
    assert {"good", "better"} <= set(out.split())


@pytest.mark.parametrize("kind", [*discovery.KINDS, "tables", "figures"])
@pytest.mark.parametrize("way", ["file", "folder", "entry point"])
def test_each_kind_breaks_alone(tmp_path, kind, way):
    home = tmp_path / f"my_{kind}"
    home.mkdir()
    (home / "bad.py").write_text("x = 1\n1 / 0\n")
    env = environment(tmp_path, () if way == "entry point" else (kind,), tmp_path)
    where = f"{home}/bad.py line 2"
    if way == "folder":
        env[f"LAWCHECK_{kind.upper()}"] = where = str(tmp_path / "nowhere")
    if way == "entry point":
        env = environment(tmp_path, (), install(tmp_path, (kind,)))
        where = f"strangers_{kind}.bad line 2"
    code = (
        "from lawcheck.declare import discovery as d; from lawcheck.show.registry import *;"
        f"print(len(renderers({kind!r}) if {kind!r} in ATTRIBUTES else d.{_FOUND[kind]}()));"
        "print(*[f.line for f in d.faults()], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, *lines = done.stdout.splitlines()
    assert int(count) > 0
    assert len(lines) == 1
    assert where in lines[0]


_FOUND = {k: k for k in (*discovery.KINDS, "tables", "figures")} | {"mixing": "mixing_rules"}


def test_a_broken_discipline_stops_what_its_absence_would_rename(tmp_path):
    """Run ids and averages cover every discipline: a plan without one is another study's."""
    (tmp_path / "bad.py").write_text("import not_there\n")
    env = {**environment(tmp_path, (), tmp_path), "LAWCHECK_DISCIPLINES": str(tmp_path)}
    scores = str(ROOT / "results/reference/proxy/laws/variability.scores.parquet")
    for words in (
        ("plan", "variability", "--scale", "smoke"),
        ("judge", "variability", "--scores", scores, "--quick"),
    ):
        command = [sys.executable, "-m", "lawcheck", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 2
        assert f"{tmp_path}/bad.py line 1" in done.stderr


def test_other_targets_do_not_need_a_broken_law(folder):
    """In Snakemake: one that cannot be imported, planned or shown, beside one that can."""
    trained = GOOD.replace("OURS, THEIRS", "TWO, ONE").replace("[OURS], [THEIRS]", "[A], [B]")
    arms = 'A, B = arm("lora_moe", Recipe(), {}), arm("lora", Recipe())\nPART ='
    trained = trained.replace("PART =", arms)
    made = {
        "fine": trained.replace("{}", 'variant="plain"'),
        "unplanned": trained.replace("{}", 'variant="plane"'),
        "unshown": trained.replace("{}", 'variant="plain"').replace(
            'source="us"', 'source="us", tables=("not_there",)'
        ),
        "broken": "1 / 0\n",
    }
    for name, text in made.items():
        (folder / f"{name}.py").write_text(text.replace('"good"', f'"{name}"'))
    env = {**environment(folder.parent, (), folder.parent), "LAWCHECK_LAWS": str(folder)}
    (folder.parent / "tiny.yaml").write_text(TINY.format(parent="smoke"))
    told = snakemake(folder.parent, env, "law_fine", "--dry-run")
    assert "render_fine" in told
    for name, why in (("unplanned", "nearest: plain"), ("unshown", "not_there")):
        (line,) = {t for t in told.splitlines() if t.startswith("lawcheck: ") and name in t}
        assert why in line
    assert f"{folder}/broken.py line 1" in told


def test_a_test_of_every_law_does_not_pass_without_the_broken_one(folder):
    (folder / "bad.py").write_text("1 / 0\n")
    text = "import pytest\n\n\n@pytest.mark.laws\ndef test_law(law_name):\n    pass\n"
    (folder.parent / "test_all.py").write_text(text)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_all.py"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode
    assert "laws/bad.py line 1" in done.stdout


@pytest.mark.parametrize("source", ["", "wide", "items"])
def test_what_init_prints_runs_as_it_stands(tmp_path, source):
    """Every command, the test and the steps of the CI file."""
    words = ["init", "my project"]
    if source:
        write_scores(tmp_path, 0.2, seeds=5, arms=("lora", "ours"))
        words += ["--from", "scores.csv", "--ours", "ours"]
    if source == "wide":
        found = pd.read_csv(tmp_path / "scores.csv")
        wide = found.pivot_table(index=["arm", "seed"], columns="task", values="value")
        wide.to_csv(tmp_path / "scores.csv")
    env = environment(tmp_path, (), tmp_path)
    shown = call(tmp_path, env, "lawcheck", *words)
    commands = [line.strip() for line in shown.partition("next:\n")[2].splitlines()]
    ci = yaml.safe_load((tmp_path / "my project/.github/workflows/laws.yml").read_text())
    steps = [s["run"] for s in ci["jobs"]["laws"]["steps"] if "run" in s]
    assert set(steps[1:]) <= set(commands)
    verbs = [line.split()[:2] for line in commands]
    assert ["lawcheck", "import"] in verbs or source == "items"
    script = "\n".join(["set -ex", *commands])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HOLDS" in done.stdout
    assert re.search(r"\b1 passed", done.stdout)
    # A second time nothing is touched.
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.py")}
    again = [sys.executable, "-m", "lawcheck", *words]
    done = subprocess.run(again, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*.py")}


def test_the_examples_of_the_help_run_in_their_order(tmp_path):
    env = environment(tmp_path, (), tmp_path)
    for line in EXAMPLES:
        assert call(tmp_path, env, *line.split())


@pytest.mark.slow
def test_the_law_is_judged_and_shown(study):
    folder, _ = study
    results = folder / "results" / "tiny"
    verdict = json.loads((results / "laws" / f"{LAW}.json").read_text())
    # Two seeds are fewer than the hypothesis asks for, so nothing may be claimed.
    assert verdict["outcome"] in ("INCONCLUSIVE", "NOT SHOWN")
    (part,) = verdict["parts"]
    assert part["name"] == "parity"
    assert part["n_seeds"] == 2
    # Five disciplines and the stranger's.
    assert part["n_items"] == 36

    tables = results / "tables"
    arms = pd.read_csv(tables / f"arms_{LAW}.csv")
    assert "norm_tuning.d100" in arms.to_csv()
    assert "sums" in arms.to_csv().lower()
    for suffix in ("csv", "md", "tex"):
        assert "norm tuning" in (tables / f"norms_table.{suffix}").read_text().lower()
    figures = folder / "paper_figures" / "tiny"
    assert {p.name for p in figures.glob("*.png")} == {f"hypotheses_{LAW}.png", "averages.png"}

    scores = pd.read_parquet(results / "laws" / f"{LAW}.scores.parquet")
    sums = scores[scores.task == "proxy_sums"]
    assert set(sums.arm) == {"base", "lora.d100", "norm_tuning.d100"}
    assert sums.value.between(0, 1).all()
    for record in (results / "runs").glob("norm_tuning*/train.json"):
        # Three layers of width 96 with two norms each, and the last one.
        assert json.loads(record.read_text())["trainable_parameters"] == 7 * 96


@pytest.mark.slow
def test_the_report_has_a_card_of_it(study):
    folder, env = study
    call(folder, env, "lawcheck", "report", "--scale", "tiny.yaml")
    page = (folder / "results" / "tiny" / "report" / "index.html").read_text()
    assert "Tuning the norms alone comes within two points of LoRA." in page


@pytest.mark.slow
def test_the_pytest_plugin_sees_the_law(study):
    folder, env = study
    (folder / "test_ours.py").write_text(
        "import pytest\n\n\n"
        f"@pytest.mark.laws({LAW!r})\n"
        "def test_part(lawcheck, law_part):\n"
        "    verdict = lawcheck.judge(law_part.law)\n"
        "    assert verdict.law == law_part.law\n"
        "    with pytest.raises(AssertionError, match='parity is not shown'):\n"
        "        lawcheck.assert_part(*law_part)\n"
    )
    words = ("-q", "-p", "no:cacheprovider", "--lawcheck-laws", str(folder / "my_laws"))
    del env["LAWCHECK_LAWS"]
    told = call(folder, env, "pytest", *words, "--lawcheck-scale", "tiny.yaml", "test_ours.py")
    assert "1 passed" in told


@pytest.mark.slow
def test_the_method_passes_the_contract(place):
    _, env = place
    words = ("-p", "no:cacheprovider", "-k", "norm_tuning")
    told = call(ROOT, env, "pytest", *words, str(ROOT / "tests" / "test_methods_contract.py"))
    assert re.search(r"\b[6-9] passed", told), told
