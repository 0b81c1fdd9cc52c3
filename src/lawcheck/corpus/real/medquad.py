"""MedQuAD: XML documents as released, or one question-answer pair per line."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_jsonl, read_text
from lawcheck.corpus.real.rows import Pair, tidy
from lawcheck.errors import InputError


def read(path: Path, prefix: str) -> list[Pair]:
    rows = read_jsonl(path, {"qid": str, "Question": str, "Answer": str})
    return [
        Pair(f"{prefix}.{number}", tidy(row["Question"]), tidy(row["Answer"]))
        for number, row in enumerate(rows, start=1)
    ]


def read_document(path: Path, prefix: str) -> list[Pair]:
    """Pairs with an answer; three of the twelve collections publish empty ones."""
    text = read_text(path)
    # ElementTree refuses text that declares an encoding only as bytes.
    try:
        # Expat bounds entity expansion itself and reads no external entity.
        root = ElementTree.fromstring(text.encode())  # noqa: S314
    except ElementTree.ParseError as error:
        raise InputError(f"{path.name}: not valid XML ({error}); {AGAIN}") from None
    if root.tag != "Document":
        raise InputError(f"{path.name}: found <{root.tag[:20]}>, expected <Document>; {AGAIN}")
    pairs = []
    for number, pair in enumerate(root.iter("QAPair"), start=1):
        question, answer = pair.find("Question"), pair.find("Answer")
        if question is None or answer is None:
            raise InputError(
                f"{path.name}, pair {number}: no <Question> or no <Answer>, expected both; {AGAIN}"
            )
        said = tidy("".join(answer.itertext()))
        if said:
            name = question.get("qid", str(number))
            pairs.append(Pair(f"{prefix}.{name}", tidy("".join(question.itertext())), said))
    return pairs
