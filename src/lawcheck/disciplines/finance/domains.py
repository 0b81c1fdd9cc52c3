"""Finance on real data: FinEval, whose questions are in Chinese, trains and evaluates.

No public set of English financial instructions is small enough. The development part trains; of the
validation part one half does, chosen by hash, and the other evaluates: no question is shared, but
all come from the same examinations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lawcheck.corpus.real import fineval
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import (
    PROMPT_LIMIT,
    Choice,
    Row,
    choice_row,
    fold,
    held_out,
    lettered,
    serve,
    unit,
)

DEV, VAL = "fineval/dev.jsonl", "fineval/val.jsonl"
# Bytes of a training prompt: such a character takes two to three tokens of a model for English.
LONGEST = PROMPT_LIMIT
EVALUATED = 0.5  # of the questions of the validation part that are not tuned on

source_files = files_of(DEV, VAL)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def asked() -> list[Choice]:
        return fineval.read(data_file(data, VAL), "fineval.val")

    def items(of: str) -> list[Row]:
        return [
            choice_row("slices_fineval", q)
            for q in asked()
            if (held_out(q.question) if of == "tune" else _evaluated(q))
        ]

    def pool() -> Iterator[Choice]:
        for question in (*fineval.read(data_file(data, DEV), "fineval.dev"), *asked()):
            if len(lettered(question).encode()) <= LONGEST:
                yield question

    return serve(split, n, discipline="finance", pool=pool, items={"slices_fineval": items})


def _evaluated(asked: Choice) -> bool:
    chosen = unit("evaluated", fold(asked.question)) < EVALUATED
    return chosen and not held_out(asked.question)
