"""Cross-entropy of every token of a text, without a chat template: continued pretraining.

The first token is predicted from nothing and carries no loss.
"""

from __future__ import annotations

from typing import Any

from lawcheck.declare.objective import Objective
from lawcheck.training.objectives.response import counts, loss

__all__ = ["OBJECTIVE", "counts", "encode", "loss"]

OBJECTIVE = Objective(
    name="text",
    title="Continued pretraining",
    version=1,
    learns="every token of `text`, or of prompt and response, and EOS",
    columns=("text",),
)


def encode(tokenizer: Any, rows: Any, max_length: int, known: Any = None) -> Any:
    from lawcheck.corpus import encoding

    return encoding.encode_text(tokenizer, rows, max_length)
