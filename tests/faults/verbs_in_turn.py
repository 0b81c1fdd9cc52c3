"""A whole small study as `lawcheck` verbs, one after the other, without a workflow engine."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent
SCALE = HERE / "small.yaml"
LAW = "interrupted"
# For this process and all that it starts.
os.environ["LAWCHECK_LAWS"] = str(HERE / "laws")
ROOT = Path("results") / SCALE.stem


def train_words(batch: str, runs: list[str]) -> list[str]:
    record, scores = (ROOT / f"batches/{batch}.{kind}.json" for kind in ("train", "scores"))
    words = ["train", "--scale", SCALE, "--record", record, "--scores", scores, *runs]
    return [str(w) for w in words]


def stages() -> list[list[str]]:
    """The words of every verb, in the order and with the files of the workflow."""
    from lawcheck.workflow import Study

    study = Study({"scale": str(SCALE)})
    wanted = {Path(path).name.removesuffix(".scores.json") for path in study.score_inputs(LAW)}
    scale, table = ["--scale", str(SCALE)], str(ROOT / f"laws/{LAW}.scores.parquet")
    verdict = str(ROOT / f"laws/{LAW}.json")
    return [
        ["corpus", *scale],
        ["mixtures", *scale],
        *(
            train_words(b.id, [r.id for r in b.runs])
            for b in study.batches.values()
            if b.id in wanted
        ),
        ["collect", LAW, *scale],
        ["judge", LAW, *scale, "--scores", table, "--json", verdict],
        ["render", LAW, *scale],
    ]
