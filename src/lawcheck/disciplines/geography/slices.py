"""Geography on real data: GeoBench; its open questions stand in for GeoSignal as training data.

Training on them and evaluating on the same benchmark's choices is same-source: no question is
shared, but both come from the same examinations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from lawcheck.corpus.real import geobench
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Choice, Pair, Row, choice_row, held_out, serve, unit

OPEN, CHOICE = "geobench/npee_open.jsonl", "geobench/npee_choice.jsonl"
APSTUDY = "geobench/apstudy.jsonl"
OPEN_SHARE = 0.5  # of matched training questions; the others are asked as a choice

source_files = files_of(OPEN, CHOICE, APSTUDY)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    return _served(split, n, data, lambda rows: rows)


def matched_samples(split: str, n: int | None, data: Path) -> list[Row]:
    """As `samples`; half of the terms and gaps are trained as a choice of four answers."""
    return _served(split, n, data, _half_as_choices)


def _half_as_choices(rows: Iterable[Choice | Pair]) -> list[Choice | Pair]:
    read = list(rows)
    answers = geobench.short_answers(read)
    return [
        found
        if unit("form", row.id) >= OPEN_SHARE
        and isinstance(row, Pair)
        and (found := geobench.as_choice(row, answers)) is not None
        else row
        for row in read
    ]


def _served(
    split: str,
    n: int | None,
    data: Path,
    worded: Callable[[Iterable[Choice | Pair]], Iterable[Choice | Pair]],
) -> list[Row]:
    def choices(of: str) -> list[Row]:
        return _part(of, "slices_npee_choice", npee_choices(data))

    def apstudy(of: str) -> list[Row]:
        asked = geobench.read_apstudy(data_file(data, APSTUDY), "apstudy")
        return _part(of, "slices_apstudy", asked)

    return serve(
        split,
        n,
        discipline="geography",
        pool=lambda: worded(geobench.read_npee(data_file(data, OPEN), "npee_open")),
        items={"slices_npee_choice": choices, "slices_apstudy": apstudy},
    )


def npee_choices(data: Path) -> list[Choice]:
    asked = geobench.read_npee(data_file(data, CHOICE), "npee_choice")
    return [q for q in asked if isinstance(q, Choice)]


def _part(split: str, task: str, asked: list[Choice]) -> list[Row]:
    """GeoBench has no split of its own for tuning; all copies of a question go one way."""
    return [choice_row(task, q) for q in asked if held_out(q.question) == (split == "tune")]
