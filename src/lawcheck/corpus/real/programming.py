"""HumanEval and MBPP: tasks whose answer is a program that must pass tests."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_jsonl
from lawcheck.corpus.real.rows import identity
from lawcheck.errors import InputError

# Of MBPP's one file, by task_id, as its authors divide it.
VALIDATION, TEST = range(511, 601), range(11, 511)


def humaneval(path: Path) -> list[Row]:
    """All 164 rows; the set has no part for training. Raises InputError."""
    columns = {"task_id": str, "prompt": str, "test": str, "entry_point": str}
    return [
        {
            "id": row["task_id"],
            "task": "humaneval_instruct",
            **{name: row[name] for name in ("prompt", "test", "entry_point")},
            "cluster": identity(row["prompt"]),
        }
        for row in read_jsonl(path, columns)
    ]


def mbpp(path: Path, ids: range) -> list[Row]:
    """The rows of these task_ids. Raises InputError, also where there is none of them."""
    columns = {"task_id": int, "text": str, "test_list": list, "test_setup_code": str}
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
                    "cluster": identity(row["text"]),
                }
            )
    if not found:
        raise InputError(
            f"{path.name}: found no task_id from {ids[0]} to {ids[-1]}, expected MBPP's; {AGAIN}"
        )
    return found
