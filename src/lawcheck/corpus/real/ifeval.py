"""IFEval: prompts with instructions that a program can check."""

from __future__ import annotations

from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, Row, read_jsonl
from lawcheck.corpus.real.rows import identity
from lawcheck.errors import InputError


def read(path: Path) -> list[Row]:
    """Evaluation rows in the hub's layout, which the original one lacks: every row of `kwargs`
    has every key, null where unused. Raises InputError.
    """
    columns = {"key": int, "prompt": str, "instruction_id_list": list, "kwargs": list}
    rows = read_jsonl(path, columns)
    for number, row in enumerate(rows, start=1):
        names, settings = row["instruction_id_list"], row["kwargs"]
        if (
            not names
            or len(names) != len(settings)
            or not all(isinstance(name, str) for name in names)
            or not all(isinstance(one, dict) for one in settings)
        ):
            raise InputError(
                f"{path.name}, line {number}: found {len(names)} instructions with "
                f"{len(settings)} kwargs, expected one object per instruction name; {AGAIN}"
            )
    keys = sorted({key for row in rows for one in row["kwargs"] for key in one})
    return [
        {
            "id": f"ifeval.{row['key']}",
            "task": "ifeval",
            "key": row["key"],
            "prompt": row["prompt"],
            "instruction_id_list": row["instruction_id_list"],
            "kwargs": [{key: one.get(key) for key in keys} for one in row["kwargs"]],
            "cluster": identity(row["prompt"]),
        }
        for row in rows
    ]
