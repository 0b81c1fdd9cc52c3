"""HumanEval and MBPP: tasks whose answer is a program that must pass tests."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_jsonl
from lawcheck.corpus.real.rows import Pair, identity
from lawcheck.errors import InputError

# Of MBPP's one file, by task_id, as its authors divide it.
TRAIN, VALIDATION, TEST = range(601, 975), range(511, 601), range(11, 511)


def humaneval(path: Path) -> list[Row]:
    """All 164 rows; the set has no part for training. Raises InputError."""
    names = ("prompt", "test", "entry_point")
    columns = dict.fromkeys(("task_id", "canonical_solution", *names), str)
    return [
        {
            "id": row["task_id"],
            "task": "humaneval_instruct",
            **{name: row[name] for name in names},
            "solution": row["canonical_solution"],
            "cluster": identity(row["prompt"]),
        }
        for row in read_jsonl(path, columns)
    ]


def mbpp(path: Path, ids: range) -> list[Row]:
    """The rows of these task_ids. Raises InputError, also where there is none of them."""
    columns = {"task_id": int, "text": str, "code": str, "test_list": list, "test_setup_code": str}
    found = []
    for number, row in enumerate(read_jsonl(path, columns), start=1):
        tests = row["test_list"]
        # The wording names the first three.
        if len(tests) < 3 or not all(isinstance(test, str) for test in tests):
            raise InputError(
                f"{path.name}, line {number}: column 'test_list' holds {len(tests)} entries, "
                f"expected at least 3 tests as text; {AGAIN}"
            )
        if row["task_id"] in ids:
            found.append(
                {
                    "id": f"mbpp.{row['task_id']}",
                    "task": "mbpp_instruct",
                    **{name: row[name] for name in ("text", "test_list", "test_setup_code")},
                    "solution": row["code"].replace("\r\n", "\n"),
                    "cluster": identity(row["text"]),
                }
            )
    if not found:
        raise InputError(
            f"{path.name}: found no task_id from {ids[0]} to {ids[-1]}, expected MBPP's; {AGAIN}"
        )
    return found


def worded(row: Row) -> Pair:
    """A row of MBPP as lm-evaluation-harness asks it, answered by its solution and a fence."""
    tests = "\n".join(row["test_list"][:3])
    asked = (
        f"You are an expert Python programmer, and here is your task:\n{row['text']}\n"
        f"Your code should pass these tests:\n{tests}"
    )
    return Pair(
        row["id"], asked, f"```python\n{row['solution'].strip()}\n```", "worked", row["text"]
    )
