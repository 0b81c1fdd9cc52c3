"""AGIEval, multiple-choice files of release v1."""

from __future__ import annotations

import re
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Columns, read_jsonl
from lawcheck.corpus.real.rows import LETTERS, Choice
from lawcheck.errors import InputError

_LABEL = re.compile(r"\s*\([A-H]\)\s*")


def read(path: Path, prefix: str) -> list[Choice]:
    """The passage, where there is one, stands before its question; options lose their letters.

    Raises InputError, also for a file whose answers are texts (`math`, cloze tests).
    """
    columns: Columns = {
        "passage": (str, type(None)),
        "question": str,
        "options": list,
        "label": str,
    }
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        where = f"{path.name}, line {number}"
        options = row["options"]
        if not 2 <= len(options) <= len(LETTERS) or not all(isinstance(o, str) for o in options):
            raise InputError(
                f"{where}: column 'options' has {len(options)} entries, expected 2 to "
                f"{len(LETTERS)} texts; {AGAIN}"
            )
        gold = row["label"].strip()
        if gold not in tuple(LETTERS[: len(options)]):
            raise InputError(
                f"{where}: column 'label' is {gold[:20]!r}, expected a letter of its "
                f"{len(options)} options; {AGAIN}"
            )
        asked = "\n".join(filter(None, (row["passage"], row["question"])))
        texts = tuple(_LABEL.sub("", option, count=1) for option in options)
        found.append(Choice(f"{prefix}.{number}", asked, texts, LETTERS.index(gold)))
    return found
