"""Every benchmark runs in a tiny form and prints its table; times are never asserted."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
# Options that make it small, and what its table must hold.
TINY = {
    "adapters": (
        ["--shape=48x64x8", "--saved=48x64x64", "--rounds=1", "--dropout=0.05"],
        ["rank_route", "X-LoRA", "as fast as the loop"],
    ),
    "step": (["--rounds=1", "--tokens=2x8"], ["shared_expert", "a loop over experts"]),
    "scoring": (
        ["--items=5", "--rounds=1", "--warm=0", "--prompt=6"],
        ["lawcheck-hf, next model", "140 shared + 6 + 1 tokens"],
    ),
    "generation": (
        ["--items=6", "--rounds=1", "--warm=0", "--batch=3", "--places=4"],
        ["proxy_math | lawcheck-hf, 4 rows", "| 0, 0 |"],
    ),
    "architectures": (
        ["--only=llama"],
        ["LlamaForCausalLM | sdpa, eager | equal | equal | equal | equal"],
    ),
    "peers": (["--family=llama", "--check=merging"], ["rank_route | 1 | 1"]),
    "packing": (["--share=1/30000"], ["one row"]),
    "corpus": (["--share=1/30000"], ["extrapolated to 3,295,160 rows"]),
    "dag": (["--scale=smoke", "--seeds=1", "--rounds=1"], ["lawcheck list", "jobs planned"]),
    "determinism": (
        ["--only=numerics", "--numeric-scale=smoke", "--arms=lora_moe.plain.d100", "--rows=1"],
        ["the same again | equal | 0.0e+00 | 0.0e+00 | 0.0e+00 | 0 of 140"],
    ),
    "load": (
        ["--rows=20000", "--laws=3", "--scale=smoke", "--seeds=1"],
        ["in memory", "files seen before", "jobs"],
    ),
    "fuzz": (["--cases=48", "--part=1/6"], ["scores.csv", "failures", "all"]),
    "beside": (["--studies=5"], ["share_then_specialize", "items rule"]),
    "first_verdict": (["--rows=600", "--rounds=1"], ["600 rows", "lawcheck compare"]),
    "merging": (["--shapes=tiny", "--rounds=1"], ["249,152 parameters", "lawcheck |"]),
    "selecting": (
        ["--tasks=2", "--each=20", "--epochs=10", "--texts=2"],
        ["two switches / alone", "2 adapters, 2 texts"],
    ),
    "gpu": (["--tiny"], ["LoRA-MoE, shared_a", "full", "X-LoRA"]),
}


def run(name, options):
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_prints_its_table(name):
    options, words = TINY[name]
    printed = run(name, options)
    assert re.search(r"^\|( ?-+ ?\|)+$", printed, re.MULTILINE)
    for word in words:
        assert word in printed


@pytest.mark.slow
def test_scoring_compares_equal_likelihoods():
    rows = [line.split("|") for line in run("scoring", TINY["scoring"][0]).splitlines()]
    apart = [float(r[6]) for r in rows if len(r) == 10 and re.match(r" \d\.\de", r[6])]
    assert len(apart) == 12
    assert max(apart) < 1e-4


def test_the_linear_layers_compute_the_same_step(monkeypatch):
    """The contenders differ in speed only: plain, the loop and X-LoRA, given equal weights."""
    import torch

    monkeypatch.syspath_prepend(str(FOLDER))
    import adapters

    found = adapters.contenders(12, 10, 0.0, "cpu", torch.float64)
    x, hidden, gates = adapters.inputs(12, 7, "cpu", torch.float64)
    plain, forward = found["plain"]
    with torch.no_grad():
        weights = torch.softmax(hidden @ plain["gate"].weight.T, -1)
        loop, _ = found["loop"]
        xlora, _ = found["X-LoRA"]
        down = plain["layer"].lora_moe_A["default"].weight.chunk(adapters.EXPERTS)
        up = plain["layer"].lora_moe_B["default"].weight.chunk(adapters.EXPERTS, dim=1)
        for e in range(adapters.EXPERTS):
            for module, part in ((loop.down[e], down[e]), (loop.up[e], up[e])):
                module.weight.copy_(part)
            xlora.lora_A[str(e)].weight.copy_(down[e])
            xlora.lora_B[str(e)].weight.copy_(up[e])
        plain["layer"].gate_state["default"].weights = plain["gate"](hidden)
        expected = forward(x, hidden, gates)
        for name in ("loop", "X-LoRA"):
            torch.testing.assert_close(found[name][1](x, hidden, weights), expected)


def test_comparing_clones_sees_one_bit_and_forgives_times(monkeypatch, tmp_path):

    import numpy as np
    from safetensors.numpy import save_file

    monkeypatch.syspath_prepend(str(FOLDER))
    import determinism_clones

    for name, weight, seconds in (("a", 1.0, 3), ("b", 1.0 + 2**-20, 4)):
        run, other = (tmp_path / name / f"results/smoke/runs/{r}" for r in ("r", "same"))
        for folder, value in ((run, weight), (other, 1.0)):
            (folder / "adapter").mkdir(parents=True)
            save_file({"w": np.array([0.5, value])}, folder / "adapter/adapter_model.safetensors")
            record = {"loss": [1.5], "wall_seconds": seconds}
            (folder / "train.json").write_text(json.dumps(record))
        (tmp_path / name / "paper_figures/smoke").mkdir(parents=True)
    (tmp_path / "b/paper_figures/smoke/figure_1.png").write_bytes(b"1")
    rows, odd = determinism_clones.compare(tmp_path / "a", tmp_path / "b", law="x", scale="smoke")
    found = {r[0]: r[1:] for r in rows}
    assert found["adapters and weights, without the base's folder"] == ["2", "1", "1", "9.5e-07"]
    assert found["training records, without times"] == ["2", "2", "0", "none"]
    assert found["figures"] == ["0", "0", "1", "none"]
    assert [line.split(":")[0] for line in odd if line] == ["- differs", "- only in one"]


def test_comparing_with_the_published_scores_sees_one_answer(monkeypatch, tmp_path):
    from lawcheck.scores import read_rows, write_scores

    monkeypatch.syspath_prepend(str(FOLDER))
    import determinism_published

    published, laws = FOLDER.parent / "results/reference/proxy", tmp_path / "laws"
    laws.mkdir()
    for kind in ("scores.parquet", "provenance.json"):
        shutil.copy(published / "laws" / f"variability.{kind}", laws)

    def line() -> list[str]:
        (row,) = determinism_published.report(tmp_path, published).splitlines()[2:]
        return [cell.strip() for cell in row.split("|")[1:-1]]

    law, runs, weights, scored, equal, answers, *rest = line()
    assert (law, runs, scored) == ("variability", weights, equal)
    assert int(answers.replace(",", "")) > 0
    assert rest == ["0", "0.000", "+0.0000", "0.0000"]

    table = read_rows([laws / "variability.scores.parquet"]).to_pandas()
    answer = table.index[table.metric == "acc"][5]
    table.loc[answer, "value"] = 1 - table.loc[answer, "value"]
    write_scores(
        {c: table[c].astype(str) if c not in ("seed", "value") else table[c] for c in table},
        laws / "variability.scores.parquet",
    )
    assert line()[6] == "1"
    assert int(line()[4]) == int(equal) - 1
