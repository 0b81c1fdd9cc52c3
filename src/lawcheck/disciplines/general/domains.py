"""General instructions as one of six domains: Alpaca trains, AGIEval in English evaluates."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real import agieval, instructions
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Row, choice_row, held_out, serve
from lawcheck.disciplines.general.slices import TRAIN

PARTS = ("aqua-rat", "logiqa-en", "lsat-ar", "lsat-lr", "sat-en", "sat-math")
AGIEVAL = tuple(f"agieval/{part}.jsonl" for part in PARTS)

source_files = files_of(TRAIN, *AGIEVAL)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def items(of: str) -> list[Row]:
        asked = [
            q
            for part, name in zip(PARTS, AGIEVAL, strict=True)
            for q in agieval.read(data_file(data, name), f"agieval.{part}")
        ]
        return [
            choice_row("slices_agieval", q) for q in asked if held_out(q.question) == (of == "tune")
        ]

    return serve(
        split,
        n,
        discipline="general",
        pool=lambda: instructions.read(data_file(data, TRAIN), "alpaca"),
        items={"slices_agieval": items},
    )
