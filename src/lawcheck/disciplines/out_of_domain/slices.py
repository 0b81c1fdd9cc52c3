"""Out of domain on real data: MMLU, 20 test questions of each of 57 subjects; nothing trains."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real import mmlu
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Row, serve

DEV, TEST = "mmlu/dev.jsonl", "mmlu/test.jsonl"

source_files = files_of(DEV, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""

    def items(of: str) -> list[Row]:
        name = DEV if of == "tune" else TEST
        questions = mmlu.read(data_file(data, name), f"mmlu.{'dev' if of == 'tune' else 'test'}")
        return [mmlu.evaluation_row(q) for q in questions]

    return serve(split, n, discipline="out_of_domain", pool=None, items={"mmlu": items})
