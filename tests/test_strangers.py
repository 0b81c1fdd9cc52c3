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
