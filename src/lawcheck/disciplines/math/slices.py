"""Mathematics on real data: GSM8K trains and evaluates (OpenMathInstruct-2 augments it)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lawcheck.corpus.real import gsm8k
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Pair, Row, held_out, serve

TRAIN, TEST = "gsm8k/train.jsonl", "gsm8k/test.jsonl"

source_files = files_of(TRAIN, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    train = gsm8k.read(data_file(data, TRAIN), "gsm8k.train")

    def items(of: str) -> list[Row]:
        if of == "tune":
            return [gsm8k.evaluation_row(p) for p in train if held_out(p.question)]
        return [gsm8k.evaluation_row(p) for p in gsm8k.read(data_file(data, TEST), "gsm8k.test")]

    return serve(
        split, n, discipline="math", pool=lambda: map(_worded, train), items={"gsm8k": items}
    )


def _worded(pair: Pair) -> Pair:
    return dataclasses.replace(pair, question=gsm8k.prompt(pair.question), about=pair.question)
