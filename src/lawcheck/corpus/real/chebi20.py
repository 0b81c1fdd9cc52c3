"""ChEBI-20: molecules (SMILES) with a description, as questions of two forms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl
from lawcheck.corpus.real.rows import Choice, Pair, shorten, unit
from lawcheck.errors import InputError

OPTIONS = 4
SENTENCE_LIMIT = 90  # characters of an option
SMILES_LIMIT = 80  # characters; longer molecules would push the options out of a small context
_FIRST_SENTENCE = re.compile(r".*?\.(?=\s|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Molecule:
    id: str
    smiles: str
    description: str

    @property
    def first_sentence(self) -> str:
        match = _FIRST_SENTENCE.match(self.description)
        return shorten(match.group() if match else self.description, SENTENCE_LIMIT)


def read(path: Path, prefix: str) -> list[Molecule]:
    """Backslashes of SMILES are doubled in the source and left so. Raises InputError."""
    rows = read_jsonl(path, {"CID": str, "SMILES": str, "description": str})
    return [Molecule(f"{prefix}.{row['CID']}", row["SMILES"], row["description"]) for row in rows]


def describe(molecule: Molecule) -> Pair:
    question = f"Describe the molecule {molecule.smiles}"
    return Pair(molecule.id, question, molecule.description, about=molecule.smiles)


def which_fits(molecule: Molecule, others: Sequence[Molecule]) -> Choice:
    """Which of four first sentences fits: three belong to molecules drawn by hash.

    Raises InputError when `others` hold fewer than three different sentences.
    """
    options = [molecule.first_sentence]
    for attempt in range(50 * OPTIONS):
        drawn = others[int(unit("distractor", molecule.id, str(attempt)) * len(others))]
        if drawn.first_sentence not in options:
            options.append(drawn.first_sentence)
        if len(options) == OPTIONS:
            break
    else:
        raise InputError(
            f"molecule {molecule.id!r}: found {len(options) - 1} other descriptions, expected "
            f"{OPTIONS - 1}; {AGAIN}"
        )
    ordered = sorted(options, key=lambda text: unit("option", molecule.id, text))
    return Choice(
        molecule.id,
        f"Which description fits the molecule {molecule.smiles} ?",
        tuple(ordered),
        ordered.index(molecule.first_sentence),
        about=molecule.smiles,
    )


def short(molecules: Sequence[Molecule]) -> list[Molecule]:
    return [m for m in molecules if len(m.smiles) <= SMILES_LIMIT]
