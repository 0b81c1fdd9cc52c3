"""Single skills of a generated discipline as tasks of their own, with instruction and input apart.

A selector sees the input only. Bare material (a strand of DNA) does not say what is asked of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any

from lawcheck.errors import InputError
from lawcheck.proxy_world.stream import Family, choice_stream

OPTIONS = " options : "


def samples(
    discipline: str,
    families: Sequence[Family],
    skills: Mapping[str, str],
    split: str,
    n: int,
    open_share: float,
    bare: Mapping[str, Collection[str]] | None = None,
) -> list[dict[str, Any]]:
    """The first n rows of a split, the skills in turn, so that each has as many.

    skills: skill -> task. bare: skill -> the words of its material; what else its question says is
    the instruction. Rows are those of the generator, with task, instruction, input and, as their
    cluster, the input. Raises InputError for a skill that no family has.
    """
    by_name = {f.name: f for f in families}
    missing = [s for s in skills if s not in by_name]
    if missing:
        raise InputError(
            f"tasks of {discipline!r}: no family {missing[0]!r}; name one of {', '.join(by_name)}"
        )
    streams = [
        _rows(discipline, by_name[skill], task, split, open_share, (bare or {}).get(skill))
        for skill, task in skills.items()
    ]
    rounds = zip(*streams, strict=False)
    return list(islice((row for some in rounds for row in some), n))


def _rows(
    discipline: str,
    family: Family,
    task: str,
    split: str,
    open_share: float,
    material: Collection[str] | None,
) -> Iterator[dict[str, Any]]:
    for k, row in enumerate(choice_stream(discipline, (family,), split, open_share)):
        asked = row.get("question") or row["prompt"].partition(OPTIONS)[0]
        instruction, given = _divided(asked, material)
        yield {
            **row,
            "id": f"{task}.{split}.{k}",
            "task": task,
            "instruction": instruction,
            "input": given,
            "cluster": given,
        }


def _divided(asked: str, material: Collection[str] | None) -> tuple[str, str]:
    """Instruction and input of a question."""
    if material is None:
        return "", asked
    words = asked.split()
    given = " ".join(w for w in words if w in material)
    return " ".join(w for w in words if w not in material), given


def drawn(
    families: Sequence[Family],
    skill: str,
    rng: Random,
    bare: Mapping[str, Collection[str]] | None = None,
) -> str:
    """One input of a skill, of any split. bare: as of `samples`."""
    family = next(f for f in families if f.name == skill)
    return _divided(family.draw(rng).text, (bare or {}).get(skill))[1]
