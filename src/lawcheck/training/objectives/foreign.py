"""A negative control: every response is learnt under the prompt of another row.

Whatever is gained so is not about the question: lengths, wording, which letter is likely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from lawcheck.declare.objective import Objective
from lawcheck.errors import InputError
from lawcheck.training.objectives.response import counts, loss

__all__ = ["OBJECTIVE", "counts", "encode", "exchanged", "loss"]

OBJECTIVE = Objective(
    name="foreign",
    title="Supervised fine-tuning under foreign prompts",
    version=1,
    learns="the response and EOS, under the prompt of another row of its discipline",
    columns=("prompt", "response"),
    like="response",
)


def exchanged(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows in their order, each with the prompt of another row of its discipline.

    The rows of a discipline stand in a ring, in the order of their hashed ids, and each takes the
    prompt half a ring away, or the next one on that is not its own: the same for every seed, and
    every prompt is used about as often as before. Raises InputError for a discipline of which all
    prompts are one.
    """
    listed = list(rows)
    if any(not isinstance(r.get(c), str) for r in listed for c in ("id", "prompt")):
        # What encodes them names the row.
        yield from listed
        return
    rings: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(listed, key=lambda r: hashlib.sha256(r["id"].encode()).digest()):
        rings.setdefault(row.get("discipline", ""), []).append(row)
    given: dict[str, str] = {}
    for name, ring in rings.items():
        for place, row in enumerate(ring):
            others = (ring[(place + len(ring) // 2 + k) % len(ring)] for k in range(len(ring)))
            prompt = next((r["prompt"] for r in others if r["prompt"] != row["prompt"]), None)
            if prompt is None:
                raise InputError(
                    f"objective 'foreign': all {len(ring)} rows of {name or 'the data'!r} have one "
                    f"prompt, expected another to exchange it with; give more rows"
                )
            given[row["id"]] = prompt
    yield from ({**row, "prompt": given[row["id"]]} for row in listed)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    from lawcheck.corpus import encoding

    return encoding.encode(tokenizer, exchanged(rows), max_length, known)
