"""Instruction sets: Alpaca-like, MedInstruct, OpenGPT and Natural-Instructions layouts."""

from __future__ import annotations

import re
from pathlib import Path

from lawcheck.corpus.real.files import AGAIN, read_json, read_jsonl, require
from lawcheck.corpus.real.rows import Pair
from lawcheck.errors import InputError

_TURN = re.compile(r"<\|(user|ai|eos|eod)\|>")


def read(path: Path, prefix: str, *, fixed_instruction: bool = False) -> list[Pair]:
    """`instruction`, `input`, `output`; rows without output are left out.

    fixed_instruction: the set has one instruction throughout, so the input alone is the question.
    """
    rows = read_jsonl(path, {"instruction": str, "input": str, "output": str})
    return [
        Pair(
            f"{prefix}.{number}",
            row["input"] if fixed_instruction else _prompt(row["instruction"], row["input"]),
            row["output"],
        )
        for number, row in enumerate(rows, start=1)
        if row["output"].strip()
    ]


def read_medinstruct(path: Path, prefix: str) -> list[Pair]:
    """MedInstruct's test layout: one `instruction`, answers of several models; GPT-4's is read."""
    rows = read_jsonl(path, {"instruction": str, "gpt-4-answer": str})
    return [
        Pair(f"{prefix}.{number}", row["instruction"], row["gpt-4-answer"])
        for number, row in enumerate(rows, start=1)
    ]


def read_opengpt(path: Path, prefix: str) -> list[Pair]:
    """First turn of each conversation; `text` holds the chat markup."""
    pairs = []
    for number, row in enumerate(read_jsonl(path, {"text": str}), start=1):
        parts = _TURN.split(row["text"])
        turns = [(role, said.strip()) for role, said in zip(parts[1::2], parts[2::2], strict=True)]
        spoken = [turn for turn in turns if turn[0] in ("user", "ai")]
        if len(spoken) < 2 or (spoken[0][0], spoken[1][0]) != ("user", "ai"):
            raise InputError(
                f"{path.name}, row {number}: found no <|user|> turn that an <|ai|> turn answers; "
                f"{AGAIN}"
            )
        pairs.append(Pair(f"{prefix}.{number}", spoken[0][1], spoken[1][1]))
    return pairs


def read_natural_instructions(path: Path, prefix: str) -> list[Pair]:
    """`Definition` is a list of texts or, in older files, one text; first reference answer."""
    task = require(read_json(path), {"Definition": (list, str), "Instances": list}, path.name)
    stated = task["Definition"]
    definition = stated if isinstance(stated, str) else "\n".join(map(str, stated))
    pairs = []
    for number, instance in enumerate(task["Instances"], start=1):
        where = f"{path.name}, instance {number}"
        require(instance, {"input": str, "output": list}, where)
        if not instance["output"] or not isinstance(instance["output"][0], str):
            raise InputError(f"{where}: found no text in 'output', expected an answer; {AGAIN}")
        prompt = _prompt(definition, instance["input"])
        pairs.append(
            Pair(f"{prefix}.{number}", prompt, instance["output"][0], about=instance["input"])
        )
    return pairs


def _prompt(instruction: str, given: str) -> str:
    parts = (instruction.strip(), given.strip())
    return "\n".join(p for p in parts if p and p != "<noinput>")
