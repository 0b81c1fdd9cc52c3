"""The whole code path through Snakemake, at smoke scale."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lawcheck.scores import MEASUREMENTS

ROOT = Path(__file__).resolve().parents[1]
TARGET = "law_share_then_specialize"


STRANGER = """
from lawcheck.studies.discipline_laws.arms import lora, lora_moe
from lawcheck.declare.design import Hypothesis, Law, difference

LAW = Law(
    name="moe_beats_lora",
    title="Mixtures beat one adapter",
    claim="LoRA-MoE beats LoRA",
    source="a stranger",
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="LoRA-MoE beats LoRA",
            estimand=difference([lora_moe()], [lora()]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
"""


def snakemake(folder, *words, scale="smoke", **variables):
    """Run Snakemake on the project's Snakefile in a folder of its own."""
    environment = {**os.environ, **variables}
    # The rules call `lawcheck`, which lies beside this interpreter.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--profile", str(ROOT / "reproduce" / "profiles" / "local")),
            *("--directory", str(folder), *words, "--config", f"scale={scale}"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )


@pytest.fixture
def laws(tmp_path):
    folder = tmp_path / "laws"
    folder.mkdir()
    (folder / "moe_beats_lora.py").write_text(STRANGER)
    return folder


@pytest.mark.slow
def test_a_diverged_run_is_recorded_counted_and_does_not_stop_the_study(tmp_path, laws):
    scale = tmp_path / "exploding.yaml"
    explosion = "{learning_rate: 1.0e+30, weight_decay: 0.0, warmup_ratio: 0.0}"
    scale.write_text(f"extends: smoke\ntitle: explosion\nmethods:\n  lora: {explosion}\n")
    done = snakemake(tmp_path, "law_moe_beats_lora", scale=scale, LAWCHECK_LAWS=str(laws))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for record in (tmp_path / "results/exploding/runs").glob("lora.*/train.json"):
        found = json.loads(record.read_text())
        assert found["diverged"]
        assert found["reason"]
        assert found["last_good_step"] <= found["at_step"]
    verdict = json.loads((tmp_path / "results/exploding/laws/moe_beats_lora.json").read_text())
    assert verdict["parts"][0]["n_diverged"] == 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    done = snakemake(folder, TARGET)
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
    items = scores[~scores.metric.isin(MEASUREMENTS)]
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
    done = snakemake(study, TARGET, "--dry-run")
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
