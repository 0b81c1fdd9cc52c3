"""Preference pairs out of rows that hold a prompt and a response.

A pure function of the rows: equal rows give equal pairs, whatever the seed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from lawcheck.corpus.recipe import order_key

Row = dict[str, Any]

# How training prompts word their options: `options : a ; b`, or lines `A. text` under `Choices:`.
_INLINE = re.compile(r"\boptions : (.+)\Z", re.DOTALL)
_LETTERED = re.compile(r"^([A-H])\. ", re.MULTILINE)


def preference_pairs(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Rows with `chosen` and `rejected`, and how many rows had no possible rejected response.

    A row that has one of the two columns is left as it is. Otherwise chosen is its response.
    Rejected is another option of the same question, drawn by a hash of the id, where the row or
    its prompt offers options; else the response of the next row of the same discipline and skill
    in the order of hashed ids whose response is another one.
    """
    given = list(rows)
    others = _others([row for row in given if _lacks(row) and len(options(row)) < 2])
    made, dropped = [], 0
    for row in given:
        if not _lacks(row):
            made.append(row)
            continue
        found = options(row)
        wrong = [o for o in found if o != row["response"].strip()]
        rejected = _drawn(row["id"], wrong) if len(found) > 1 else others.get(row["id"])
        if rejected is None:
            dropped += 1
        else:
            made.append({**row, "chosen": row["response"], "rejected": rejected})
    return made, dropped


def options(row: Row) -> list[str]:
    """The options that a row's question offers; empty where its response is none of them."""
    found = row.get("choices")
    if found is None:
        prompt = row["prompt"]
        inline = _INLINE.search(prompt)
        if inline:
            found = inline.group(1).split(" ; ")
        else:
            found = _LETTERED.findall(prompt) if "\nChoices:\n" in prompt else []
    found = list(dict.fromkeys(o.strip() for o in found))
    return found if row["response"].strip() in found else []


def _lacks(row: Row) -> bool:
    texts = (row.get("id"), row.get("prompt"), row.get("response"))
    return not row.keys() & {"chosen", "rejected"} and all(isinstance(t, str) for t in texts)


def _drawn(row_id: str, among: Sequence[str]) -> str | None:
    if not among:
        return None
    number = hashlib.sha256(f"rejected\x1f{row_id}".encode()).digest()[:8]
    return among[int.from_bytes(number, "big") % len(among)]


def _others(rows: Sequence[Row]) -> dict[str, str]:
    """Id -> the response of the next row of its group that says something else."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.get("discipline"), row.get("skill")].append(row)
    found: dict[str, str] = {}
    for group in groups.values():
        ordered = sorted(group, key=lambda row: order_key(row["id"]))
        said = [row["response"] for row in ordered]
        # Backwards and twice around: each place knows the next response that differs from its own.
        following: list[str | None] = [None] * len(said)
        for k in reversed(range(2 * len(said))):
            here, after = k % len(said), (k + 1) % len(said)
            same = said[here].strip() == said[after].strip()
            following[here] = following[after] if same else said[after]
        found |= {
            row["id"]: other
            for row, other in zip(ordered, following, strict=True)
            if other is not None and other.strip()
        }
    return found
