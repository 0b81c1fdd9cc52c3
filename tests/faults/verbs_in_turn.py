"""A whole small study as `lawcheck` verbs, one after the other, without a workflow engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCALE = HERE / "small.yaml"
LAW = "interrupted"
# For this process and all that it starts.
os.environ["LAWCHECK_LAWS"] = str(HERE / "laws")
ROOT = Path("results") / SCALE.stem


def runs() -> list[str]:
    command = [sys.executable, "-m", "lawcheck", "plan", LAW, "--scale", str(SCALE), "--runs"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def train_words(chosen: list[str]) -> list[str]:
    record, scores = ROOT / "batches/b.train.json", ROOT / "batches/b.scores.json"
    words = ["train", "--scale", SCALE, "--record", record, "--scores", scores, *chosen]
    return [str(w) for w in words]


def stages() -> list[list[str]]:
    """The words of every verb, in order."""
    scale, table = ["--scale", str(SCALE)], str(ROOT / f"laws/{LAW}.scores.parquet")
    verdict = str(ROOT / f"laws/{LAW}.json")
    return [
        ["corpus", *scale],
        ["mixtures", *scale],
        train_words(runs()),
        ["collect", LAW, *scale],
        ["judge", LAW, *scale, "--scores", table, "--json", verdict],
        ["render", LAW, *scale],
        ["report", *scale],
    ]
