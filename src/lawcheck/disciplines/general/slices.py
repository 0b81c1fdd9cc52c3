"""General instructions on real data: Alpaca rows train, IFEval evaluates."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real import ifeval, instructions
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Row, held_out, serve

TRAIN, TEST = "alpaca/train.jsonl", "ifeval/input_data.jsonl"

source_files = files_of(TRAIN, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def items(of: str) -> list[Row]:
        # IFEval is one file: a part of its prompts, chosen by hash, is set aside for tuning.
        rows = ifeval.read(data_file(data, TEST))
        return [row for row in rows if held_out(row["prompt"]) == (of == "tune")]

    return serve(
        split,
        n,
        discipline="general",
        pool=lambda: instructions.read(data_file(data, TRAIN), "alpaca"),
        items={"ifeval": items},
    )
