"""Chemistry on real data: ChEBI-20 stands in for ChemData (training) and ChemBench (evaluation)."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real import chebi20
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Choice, Pair, Row, choice_row, held_out, serve, unit

TRAIN, TEST = "chebi20/validation.jsonl", "chebi20/test.jsonl"
TASK = "slices_chebi20"
OPEN_SHARE = 0.5  # of training molecules; the others are asked as a choice

source_files = files_of(TRAIN, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    train = chebi20.short(chebi20.read(data_file(data, TRAIN), "chebi20.validation"))

    def items(of: str) -> list[Row]:
        if of == "tune":
            asked = [m for m in train if held_out(m.smiles)]
            return [choice_row(TASK, chebi20.which_fits(m, asked)) for m in asked]
        test = chebi20.short(chebi20.read(data_file(data, TEST), "chebi20.test"))
        return [choice_row(TASK, chebi20.which_fits(m, test)) for m in test]

    def pool() -> list[Choice | Pair]:
        kept = [m for m in train if not held_out(m.smiles)]
        return [
            chebi20.describe(m) if unit("form", m.id) < OPEN_SHARE else chebi20.which_fits(m, kept)
            for m in kept
        ]

    return serve(split, n, discipline="chemistry", pool=pool, items={TASK: items})
