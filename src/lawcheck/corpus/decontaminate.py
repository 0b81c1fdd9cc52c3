"""Do training rows share text with evaluation items? Counts, and who shares with whom.

Two measures over folded words (case and punctuation gone): **exact**, the item's question is a
training question; **overlap**, the item's text and a training row share a run of 13 words (the
usual length), or the whole item where it has 8 to 12 words. Shorter items are compared exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from lawcheck.corpus.real.rows import Row, fold, words
from lawcheck.declare import discovery
from lawcheck.errors import InputError

RUN = 13  # words
SHORTEST = 8  # words


def report(data: Path, world: str = "slices") -> list[dict[str, Any]]:
    """Per discipline, split and task: all rows there are, and how many training text reaches.

    Columns: discipline, split, task, rows; for items also exact and overlap (items that occur in
    the training pool of any discipline) and found_in (`discipline count`, by either measure).
    The pools compared are whole, so a scale that trains on less shares no more than this.
    Raises InputError when a data file is missing or malformed.
    """
    declared = [d for d in discovery.disciplines().values() if world in d.worlds]
    if not declared:
        raise InputError(f"world {world!r}: no discipline declares it; add it to a discipline")
    modules = {d.name: import_module(d.worlds[world].source) for d in declared}
    pools = {
        d.name: modules[d.name].samples("train", None, data)
        for d in declared
        if d.role != "out_of_domain"
    }
    items = [
        {**row, "discipline": name, "split": split}
        for split in ("tune", "eval")
        for name, module in modules.items()
        for row in module.samples(split, None, data)
    ]
    same = {name: exact(items, rows) for name, rows in pools.items()}
    near = {name: overlapping(items, rows) for name, rows in pools.items()}
    lines: list[dict[str, Any]] = [
        {"discipline": name, "split": "train", "task": "", "rows": len(rows)}
        for name, rows in pools.items()
    ]
    groups: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for item in items:
        groups[item["discipline"], item["split"], item["task"]].add(item["id"])
    for (name, split, task), ids in groups.items():
        where = Counter({pool: len(ids & (same[pool] | near[pool])) for pool in pools})
        lines.append(
            {
                "discipline": name,
                "split": split,
                "task": task,
                "rows": len(ids),
                "exact": len(ids & set().union(*same.values())),
                "overlap": len(ids & set().union(*near.values())),
                "found_in": ", ".join(f"{p} {n}" for p, n in where.most_common() if n),
            }
        )
    return lines


def exact(items: Iterable[Row], rows: Iterable[Row]) -> set[str]:
    """Ids of items whose question or prompt is the question of a training row."""
    asked = {fold(_training_question(row)) for row in rows}
    return {item["id"] for item in items if fold(_asked(item)) in asked}


def overlapping(items: Iterable[Row], rows: Iterable[Row]) -> set[str]:
    """Ids of items that share a long run of words with the text of some training row."""
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
    starts: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for item in items:
        text = words(_asked(item))
        length = min(RUN, len(text))
        if length < SHORTEST:
            continue
        for i in range(len(text) - length + 1):
            gram = tuple(text[i : i + length])
            owners[gram].add(item["id"])
            starts[gram[:SHORTEST]].add(gram)
    reached: set[str] = set()
    for row in rows:
        text = words(f"{row['prompt']} {row['response']}")
        for i in range(len(text) - SHORTEST + 1):
            for gram in starts.get(tuple(text[i : i + SHORTEST]), ()):
                if tuple(text[i : i + len(gram)]) == gram:
                    reached |= owners[gram]
    return reached


def _asked(item: Row) -> str:
    return str(item["question"] if item.get("question") is not None else item["prompt"])


def _training_question(row: Row) -> str:
    """The question inside a training prompt, without the options and the frame around it."""
    prompt: str = row["prompt"]
    if prompt.startswith("Question: "):
        return (
            prompt.removeprefix("Question: ").partition("\nChoices:\n")[0].removesuffix("\nAnswer:")
        )
    return prompt
