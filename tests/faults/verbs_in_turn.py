"""A whole small study as `lawcheck` verbs, one after the other, without a workflow engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
SCALE = HERE / "small.yaml"
LAW = "interrupted"
# Where that law is found: given to each process of these tests, never to their own.
LAWS = {"LAWCHECK_LAWS": str(HERE / "laws")}
ROOT = Path("results") / SCALE.stem


@contextlib.contextmanager
def _law_found() -> Iterator[None]:
    from lawcheck.declare import discovery

    with mock.patch.dict(os.environ, LAWS):
        discovery.forget()
        yield
    discovery.forget()


def train_words(batch: str, runs: list[str]) -> list[str]:
    record, scores = (ROOT / f"batches/{batch}.{kind}.json" for kind in ("train", "scores"))
    words = ["train", "--scale", SCALE, "--record", record, "--scores", scores, *runs]
    return [str(w) for w in words]


def stages() -> list[list[str]]:
    """The words of every verb, in the order and with the files of the workflow."""
    from lawcheck.pipeline.workflow import Workflow

    with _law_found():
        study = Workflow({"scale": str(SCALE)})
        inputs, batches = study.score_inputs(LAW), study.batches
    wanted = {Path(path).name.removesuffix(".scores.json") for path in inputs}
    scale, table = ["--scale", str(SCALE)], str(ROOT / f"laws/{LAW}.scores.parquet")
    verdict = str(ROOT / f"laws/{LAW}.json")
    return [
        ["corpus", *scale],
        ["mixtures", *scale],
        *(train_words(b.id, [r.id for r in b.runs]) for b in batches.values() if b.id in wanted),
        ["collect", LAW, *scale],
        ["judge", LAW, *scale, "--scores", table, "--json", verdict],
        ["render", LAW, *scale],
    ]
