"""The whole code path through Snakemake, at smoke scale."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARGET = "law_share_then_specialize"


def snakemake(folder, *words):
    """Run Snakemake on the project's Snakefile in a folder of its own."""
    environment = dict(os.environ)
    # The rules call `lawcheck`, which lies beside this interpreter.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--profile", str(ROOT / "reproduce" / "profiles" / "local")),
            *("--directory", str(folder), TARGET, *words, "--config", "scale=smoke"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return folder


@pytest.mark.slow
def test_the_law_is_judged_and_drawn(study):
    verdict = json.loads((study / f"results/smoke/laws/{TARGET[4:]}.json").read_text())
    # Two seeds are fewer than any hypothesis asks for, so nothing may be claimed.
    assert verdict["outcome"] in ("INCONCLUSIVE", "NOT SHOWN")
    assert {p["name"] for p in verdict["parts"]} >= {"share", "specialise", "parity", "cost"}
    assert any("code path" in note for note in verdict["notes"])
    for name in ("table_3", "table_8"):
        for suffix in ("csv", "md", "tex"):
            assert (study / f"results/smoke/tables/{name}.{suffix}").stat().st_size > 200
    drawn = {p.name for p in (study / "paper_figures/smoke").iterdir()}
    assert {"figure_5.png", "figure_5.pdf"} <= drawn


@pytest.mark.slow
def test_every_run_left_scores_for_every_item(study):
    import pandas as pd

    scores = pd.read_parquet(study / f"results/smoke/laws/{TARGET[4:]}.scores.parquet")
    items = scores[~scores.metric.isin(["routing_probability", "diverged"])]
    per_run = items.groupby(["run_id", "task"], observed=True).size()
    assert (per_run == 20).all()
    assert items.value.between(0, 1).all()
    routing = scores[scores.metric == "routing_probability"]
    total = routing.groupby(["run_id", "task"], observed=True).value.sum()
    assert len(total)
    assert total.sub(1).abs().max() < 1e-4
    assert set(scores.seed) == {0, 1}


@pytest.mark.slow
def test_a_second_call_does_nothing(study):
    done = snakemake(study, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_lost_score_file_is_named(study):
    plan = subprocess.run(
        [sys.executable, "-m", "lawcheck", "collect", TARGET, "--scale", "smoke"],
        capture_output=True,
        text=True,
        cwd=study,
    )
    assert plan.returncode == 0, plan.stderr
    lost = next((study / "results/smoke/runs").glob("full*/scores.parquet"))
    kept = lost.read_bytes()
    lost.unlink()
    again = subprocess.run(plan.args, capture_output=True, text=True, cwd=study)
    lost.write_bytes(kept)
    assert again.returncode == 2
    assert re.search(rf"{re.escape(lost.parent.name)}.*no scores", again.stderr)
