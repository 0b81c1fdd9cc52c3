"""Code on real data: Code Alpaca and MBPP's training part; HumanEval and MBPP's test evaluate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from lawcheck.corpus.real import instructions, programming
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Pair, Row, held_out, serve

TRAIN, HUMANEVAL, MBPP = "codealpaca/train.jsonl", "humaneval/test.jsonl", "mbpp/mbpp.jsonl"

source_files = files_of(TRAIN, HUMANEVAL, MBPP)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def humaneval(of: str) -> list[Row]:
        # It has no part for tuning: a part of its problems, chosen by hash, is set aside.
        rows = programming.humaneval(data_file(data, HUMANEVAL))
        return [row for row in rows if held_out(row["prompt"]) == (of == "tune")]

    def mbpp(of: str) -> list[Row]:
        ids = programming.VALIDATION if of == "tune" else programming.TEST
        return programming.mbpp(data_file(data, MBPP), ids)

    def pool() -> Iterator[Pair]:
        for pair in instructions.read(data_file(data, TRAIN), "codealpaca"):
            # White space is part of a program.
            yield dataclasses.replace(pair, kind="worked")
        for row in programming.mbpp(data_file(data, MBPP), programming.TRAIN):
            yield programming.worded(row)

    items = {"humaneval_instruct": humaneval, "mbpp_instruct": mbpp}
    return serve(split, n, discipline="code", pool=pool, items=items)
