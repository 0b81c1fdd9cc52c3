"""A study run anew, on whatever machine, against the published scores of the same run ids."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from measuring import table

from lawcheck.scores import MEASUREMENTS, ROUTING, read_rows

KEY = ["run_id", "arm", "seed", "task", "item_id", "metric"]


def report(results: Path, published: Path) -> str:
    """One line a law that both folders have. results, published: of one scale."""
    lines = []
    for path in sorted((results / "laws").glob("*.scores.parquet")):
        theirs = published / "laws" / path.name
        if theirs.is_file():
            law = path.name.removesuffix(".scores.parquet")
            lines.append([law, *_weights(law, results, published), *_answers(path, theirs)])
    heads = [
        *("law", "runs in both", "equal weights"),
        *("scored runs", "every answer equal", "answers", "differ"),
        "largest move of an arm and seed's average over tasks, points",
        *("mean move", "largest move of a routing probability"),
    ]
    return table(heads, lines)


def _weights(law: str, *folders: Path) -> tuple[str, str]:
    ours, theirs = (
        json.loads((f / "laws" / f"{law}.provenance.json").read_text(encoding="utf-8"))["runs"]
        for f in folders
    )
    both = ours.keys() & theirs.keys()
    equal = sum(ours[r]["weights_sha256"] == theirs[r]["weights_sha256"] for r in both)
    return str(len(both)), str(equal)


def _answers(ours: Path, theirs: Path) -> list[str]:
    one, other = (read_rows([p]).to_pandas() for p in (ours, theirs))
    for frame in (one, other):
        text = [c for c in KEY if c != "seed"]
        frame[text] = frame[text].astype(str)
    both = one.merge(other, on=KEY, suffixes=("_here", "_there"), validate="one_to_one")
    both["differs"] = both.value_here.ne(both.value_there) & ~(
        both.value_here.isna() & both.value_there.isna()
    )
    items = both[~both.metric.isin(MEASUREMENTS)]
    of_runs = items.groupby(["arm", "seed"]).differs.sum()
    means = items.groupby(["arm", "seed", "task"])[["value_here", "value_there"]].mean()
    move = 100 * (means.value_here - means.value_there).groupby(["arm", "seed"]).mean()
    routing = both[both.metric == ROUTING]
    moved = (routing.value_here - routing.value_there).abs().max()
    return [
        str(len(of_runs)),
        str(int((of_runs == 0).sum())),
        f"{len(items):,}",
        f"{int(items.differs.sum()):,}",
        f"{move.abs().max():.3f}",
        f"{move.mean():+.4f}",
        "none" if pd.isna(moved) else f"{moved:.4f}",
    ]
