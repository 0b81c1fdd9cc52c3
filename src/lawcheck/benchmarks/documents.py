"""Rows of the original releases as the documents that the lm-eval tasks ask.

A document holds `id`, `task`, `question`, `cluster` (equal for copies of a question) and, for our
own multiple-choice tasks, `options`, `letters` (what the model may answer) and `answer` (an index
into both). The functions at the end are named by the task files with `!function`.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lawcheck.corpus.real import geobench, gsm8k, medmcqa, mmlu
from lawcheck.corpus.real.files import AGAIN, Columns, Row, require, whole_number
from lawcheck.corpus.real.rows import LETTERS, Choice, Pair, fold, identity
from lawcheck.errors import InputError

Placed = tuple[str, Row]
Read = Callable[[Iterable[Placed], str], list[Row]]

_GOLD_NUMBER = re.compile(r"#### *-?[0-9][0-9.,]*\s*\Z")
_LABEL = re.compile(r"\(([A-H])\)")
# An option's label stands apart from the word before it; "(E)-2-butenal" is none.
_OPTION = re.compile(r"(?<!\S)\(([A-H])\)(?![-,])")


def gsm8k_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """`question`, `answer` ending in `#### number`. Raises InputError."""
    found = []
    for number, (where, row) in enumerate(rows, start=1):
        require(row, {"question": str, "answer": str}, where)
        if not _GOLD_NUMBER.search(row["answer"]):
            raise InputError(
                f"{where}: column 'answer' ends in {row['answer'][-20:]!r}, expected "
                f"'#### number'; {AGAIN}"
            )
        pair = Pair(f"{task}.{number}", row["question"], row["answer"], "worked")
        found.append(gsm8k.evaluation_row(pair))
    return found


def medmcqa_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """The hub's columns, `cop` from 0. The original release counts it from 1: the range over
    all rows, 0 to 3 or 1 to 4, says which one is read. Raises InputError where it does not.
    """
    placed = list(rows)
    columns: Columns = {"id": str, "question": str, "cop": int}
    columns = {**columns, **dict.fromkeys(medmcqa.OPTIONS, str)}
    golds = []
    for where, row in placed:
        require(row, columns, where)
        golds.append(whole_number(row["cop"], 0, 4, f"{where}: column 'cop'"))
    if (0 in golds) == (4 in golds):
        raise InputError(
            f"task {task!r}: 'cop' runs from {min(golds, default=0)} to {max(golds, default=0)} "
            f"over {len(golds)} rows, expected 0 to 3 (the hub) or 1 to 4 (the release); give the "
            f"whole split"
        )
    first = 0 if 0 in golds else 1
    return [
        medmcqa.evaluation_row(
            Choice(row["id"], row["question"], tuple(row[o] for o in medmcqa.OPTIONS), gold - first)
        )
        for (_, row), gold in zip(placed, golds, strict=True)
    ]


def mmlu_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """`question`, `subject`, `choices`, `answer` from 0. Raises InputError."""
    found = []
    for number, (where, row) in enumerate(rows, start=1):
        require(row, {"question": str, "subject": str, "choices": list, "answer": int}, where)
        if len(row["choices"]) != mmlu.OPTIONS:
            raise InputError(
                f"{where}: column 'choices' has {len(row['choices'])} entries, expected "
                f"{mmlu.OPTIONS}; {AGAIN}"
            )
        gold = whole_number(row["answer"], 0, mmlu.OPTIONS - 1, f"{where}: column 'answer'")
        choice = Choice(f"{task}.{number}", row["question"], tuple(row["choices"]), gold)
        found.append(mmlu.evaluation_row(mmlu.Question(choice, row["subject"])))
    return found


def chembench_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """`question`, `A` to `D`, `answer` (a letter). Raises InputError."""
    columns: Columns = {"question": str, "answer": str, **dict.fromkeys("ABCD", str)}
    found = []
    for number, (where, row) in enumerate(rows, start=1):
        require(row, columns, where)
        gold = row["answer"].strip()
        if gold not in ("A", "B", "C", "D"):
            raise InputError(f"{where}: answer {gold[:20]!r}, expected A, B, C or D; {AGAIN}")
        options = [row[letter] for letter in "ABCD"]
        document = _choice(task, number, row["question"], options, "ABCD".index(gold))
        # Folding would make one question of molecules that differ in their bonds only.
        text = " ".join(row["question"].split())
        found.append(document | {"cluster": hashlib.sha256(text.encode()).hexdigest()[:12]})
    return found


def mol_instructions_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """Multiple-choice rows of the test part: `instruction`, `input`, `output`, `metadata`.

    As the authors score it, the gold letter is the first `(X)` of the output. The letters are
    those that the question labels with brackets, in order. Raises InputError, also for the first
    release, which tells no test rows from training rows.
    """
    kinds: Columns = {"instruction": str, "input": str, "output": str, "metadata": (dict, str)}
    found, seen = [], 0
    for number, (where, row) in enumerate(rows, start=1):
        require(row, kinds, where)
        seen += 1
        if _metadata(row["metadata"], where).get("split") != "test":
            continue
        question = "\n".join(filter(None, (row["instruction"], row["input"])))
        marks = _option_marks(question)
        letters = [mark[1] for mark in marks]
        gold = _LABEL.search(row["output"])
        if not gold or gold[1] not in letters:
            raise InputError(
                f"{where}: answer {row['output'][:30]!r} to options {''.join(letters) or 'none'}, "
                f"expected the gold letter in brackets, one of (A), (B) and so on; {AGAIN}"
            )
        ends = [*(mark.start() for mark in marks[1:]), len(question)]
        options = [question[m.end() : end].strip() for m, end in zip(marks, ends, strict=True)]
        document = _choice(task, number, question, options, letters.index(gold[1]))
        found.append(document | {"letters": [f"({letter})" for letter in letters]})
    if seen and not found:
        raise InputError(
            f"task {task!r}: none of {seen} rows is of the test part, expected metadata with "
            f"'split': 'test'; use the release of October 2023 or later"
        )
    return found


def geobench_npee_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """The `choice` block: `category`, `question`, `answer`. Raises InputError.

    Two published questions whose gold letter no option carries are left out; copies are kept.
    """
    found = []
    for number, (where, row) in enumerate(rows, start=1):
        require(row, {"category": str, "question": str, "answer": str}, where)
        if row["category"] == "choice":
            question = geobench.npee_question(row, where, f"{task}.{number}")
            if isinstance(question, Choice):
                options = question.choices
                found.append(_choice(task, number, question.question, options, question.answer))
    return found


def geobench_apstudy_documents(rows: Iterable[Placed], task: str) -> list[Row]:
    """`question` (`stem`, labelled `choices`) and `answerKey`. Raises InputError."""
    found = []
    for number, (where, row) in enumerate(rows, start=1):
        question = geobench.apstudy_question(row, where, f"{task}.{number}")
        if question is not None:
            options = question.choices
            found.append(_choice(task, number, question.question, options, question.answer))
    return found


def repeated(documents: Iterable[Row]) -> list[dict[str, Any]]:
    """Questions asked more than once with the same options: how often, with how many answers.

    documents: with `options`. Options are compared as folded text, in their order.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for document in documents:
        key = (document["cluster"], *map(fold, document["options"]))
        groups.setdefault(key, []).append(document)
    return [
        {
            "question": group[0]["question"],
            "copies": len(group),
            "answers": len({d["answer"] for d in group}),
        }
        for group in groups.values()
        if len(group) > 1
    ]


def _choice(task: str, number: int, question: str, options: Sequence[str], answer: int) -> Row:
    return {
        "id": f"{task}.{number}",
        "task": task,
        "question": question,
        "options": list(options),
        "letters": list(LETTERS[: len(options)]),
        "answer": answer,
        "cluster": identity(question),
    }


def _option_marks(question: str) -> list[re.Match[str]]:
    """The labels (A), (B) and so on that follow one another, the longest such run."""
    marks = list(_OPTION.finditer(question))
    best: list[re.Match[str]] = []
    for start, mark in enumerate(marks):
        if mark[1] == "A":
            run = [mark]
            for later in marks[start + 1 :]:
                if later[1] == LETTERS[len(run) : len(run) + 1]:
                    run.append(later)
            # Of equal runs the last: a stem may mention (A) before the options begin.
            best = run if len(run) >= len(best) else best
    return best


def _metadata(value: object, where: str) -> Row:
    """An object in the first release, text of one on the hub. Raises InputError."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise InputError(
                f"{where}: column 'metadata' is {str(value)[:30]!r}, expected the text of a "
                f"dictionary; {AGAIN}"
            ) from None
    return require(value, {}, f"{where}: column 'metadata'")


def _task_documents(read: Read, task: str) -> Callable[[Any], Any]:
    """A document filter for a task file: released rows become documents, documents stay."""

    def process(dataset: Any) -> Any:
        # Rows of a corpus are documents already, so that one task file serves both.
        if "letters" in dataset.column_names:
            return dataset
        placed = ((f"{task}, row {n}", row) for n, row in enumerate(_unnested(dataset), start=1))
        import datasets

        return datasets.Dataset.from_list(read(placed, task))

    return process


def _unnested(dataset: Any) -> Iterable[Row]:
    """Rows of a data set; GeoBench's file of blocks is one row of parallel lists."""
    if "choice" not in dataset.column_names:
        return dataset
    block = dataset[0]["choice"]
    pairs = zip(block["question"], block["answer"], strict=True)
    return [{"category": "choice", "question": q, "answer": a} for q, a in pairs]


name_conversion = _task_documents(chembench_documents, "chembench_name_conversion")
property_prediction = _task_documents(chembench_documents, "chembench_property_prediction")
mol2caption = _task_documents(chembench_documents, "chembench_mol2caption")
caption2mol = _task_documents(chembench_documents, "chembench_caption2mol")
product_prediction = _task_documents(chembench_documents, "chembench_product_prediction")
retrosynthesis = _task_documents(chembench_documents, "chembench_retrosynthesis")
yield_prediction = _task_documents(chembench_documents, "chembench_yield_prediction")
temperature_prediction = _task_documents(chembench_documents, "chembench_temperature_prediction")
solvent_prediction = _task_documents(chembench_documents, "chembench_solvent_prediction")
mol_instructions = _task_documents(mol_instructions_documents, "mol_instructions_choice")
npee = _task_documents(geobench_npee_documents, "geobench_npee")
apstudy = _task_documents(geobench_apstudy_documents, "geobench_apstudy")
