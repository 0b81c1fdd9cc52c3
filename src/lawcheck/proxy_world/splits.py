"""What belongs to which split, decided by a hash of the content and by nothing else.

A **skill** question (a rule applied to material) has a canonical key, free of wording and options.
The key is reserved for `eval`, reserved for `tune`, or left to `train` and `pretrain`.

A **fact** question (one cell of a table) has a key that must be learnable, so it occurs in `train`
and in `eval`; what is reserved is the wording. Of a fact's wordings one, chosen by hash, is asked
in `eval` and `tune` only, the others in `train` and `pretrain` only. `eval` and `tune` divide the
held-out wording between them by options and their order.

Facts that are **withheld** never occur in `pretrain`, neither alone nor inside a skill question
that builds on them. `train` and `pretrain` may share questions.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Literal

from lawcheck.errors import InputError, nearest

Split = Literal["pretrain", "train", "tune", "eval"]
SPLITS: tuple[Split, ...] = ("pretrain", "train", "tune", "eval")

EVAL_SHARE = 0.16  # of skill keys
TUNE_SHARE = 0.10  # of skill keys
EVAL_SHARE_OF_FACT_QUESTIONS = 0.60  # of the held-out wording's option orders; the rest is tune
WITHHELD_SHARE = 0.50  # of facts


def require_split(split: str) -> None:
    if split not in SPLITS:
        raise InputError(f"split {split!r} is unknown; {nearest(split, SPLITS)}")


def unit(*parts: str) -> float:
    """Uniform hash of the parts in [0, 1)."""
    raw = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=7).digest()
    return int.from_bytes(raw, "big") / 2**56


@functools.cache
def withheld(discipline: str, fact: str) -> bool:
    """Whether the fact is kept out of pretraining."""
    return unit("withheld", discipline, fact) < WITHHELD_SHARE


@functools.cache
def held_out_wording(discipline: str, family: str, fact: str, wordings: int) -> int:
    """Which of the fact's wordings is reserved for `eval` and `tune`."""
    return int(unit("wording", discipline, family, fact) * wordings)


def skill_belongs(split: str, *key: str) -> bool:
    share = unit("skill", *key)
    if split == "eval":
        return share < EVAL_SHARE
    if split == "tune":
        return EVAL_SHARE <= share < EVAL_SHARE + TUNE_SHARE
    return share >= EVAL_SHARE + TUNE_SHARE


def fact_question_belongs(split: str, question: str) -> bool:
    """Divides the held-out wording between `eval` and `tune`; true for the other splits."""
    if split not in ("eval", "tune"):
        return True
    return (unit("question", question) < EVAL_SHARE_OF_FACT_QUESTIONS) == (split == "eval")
