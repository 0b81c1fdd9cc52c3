"""Biology on real data: Mol-Instructions, biomolecular text.

Its true-or-false questions stand in for the multiple-choice test. They are PubMedQA's labelled
questions; both files are cut along PubMedQA's official halves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lawcheck.corpus.real import mol_instructions
from lawcheck.corpus.real.files import data_file, files_of
from lawcheck.corpus.real.rows import Pair, Row, choice_row, held_out, serve

TRAIN = "mol_instructions_biotext/train.jsonl"
TEST = "mol_instructions_biotext/eval_true_or_false.jsonl"
TASK = "slices_mol_true_false"

source_files = files_of(TRAIN, TEST)


def samples(split: str, n: int | None, data: Path) -> list[Row]:
    """The first n rows of a split; see lawcheck.corpus.real.rows.serve."""
    return _served(split, n, data, lambda row: row.pair)


def matched_samples(split: str, n: int | None, data: Path) -> list[Row]:
    """As `samples`; true-or-false questions are trained with Yes, No or Maybe alone."""
    return _served(split, n, data, mol_instructions.matched)


def _served(
    split: str,
    n: int | None,
    data: Path,
    worded: Callable[[mol_instructions.Instruction], Pair],
) -> list[Row]:
    train = mol_instructions.read(data_file(data, TRAIN), "mol_instructions.train")

    def items(of: str) -> list[Row]:
        if of == "tune":
            asked = [
                i
                for i in train
                if i.task == mol_instructions.TRUE_FALSE and held_out(i.pair.question)
            ]
        else:
            asked = mol_instructions.read(data_file(data, TEST), "mol_instructions.eval")
        return [choice_row(TASK, mol_instructions.verdict(i)) for i in asked]

    return serve(
        split, n, discipline="biology", pool=lambda: map(worded, train), items={TASK: items}
    )
