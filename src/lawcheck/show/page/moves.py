"""How far results were measured to move where the arithmetic differs: moves.yaml, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lawcheck.files.reading import parse_yaml


@dataclass(frozen=True)
class Move:
    """changed: what differed. weights, answers, average: what became of them, in words."""

    changed: str
    weights: str
    answers: str
    average: str


@cache
def moves() -> tuple[Move, ...]:
    path = Path(__file__).with_name("moves.yaml")
    rows = parse_yaml(path.read_text(encoding="utf-8"), path.name, "restore the file")
    return tuple(Move(**row) for row in rows)
