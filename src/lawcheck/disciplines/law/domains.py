"""Law on real data: LegalBench's worked examples train, four of its tasks evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from lawcheck.corpus.real import legalbench
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Choice, Pair, Row, choice_row, held_out, serve

TRAIN, TEST = "legalbench/train.jsonl", "legalbench/test.jsonl"

source_files = files_of(TRAIN, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    return _served(split, n, data, lambda rows: rows)


def matched_samples(split: str, n: int | None, data: Path) -> list[Row]:
    """As `samples`; labels are trained as a choice among those of their task."""
    return _served(split, n, data, legalbench.as_choices)


def _served(
    split: str,
    n: int | None,
    data: Path,
    worded: Callable[[Iterable[Choice | Pair]], Iterable[Choice | Pair]],
) -> list[Row]:
    def items(of: str) -> list[Row]:
        # No task has a split for tuning: a part of the questions, chosen by hash, is set aside.
        asked = legalbench.read_test(data_file(data, TEST), "legalbench.test")
        return [
            choice_row("slices_legalbench", q)
            for q in asked
            if held_out(q.question) == (of == "tune")
        ]

    return serve(
        split,
        n,
        discipline="law",
        pool=lambda: worded(legalbench.read_train(data_file(data, TRAIN), "legalbench")),
        items={"slices_legalbench": items},
    )
