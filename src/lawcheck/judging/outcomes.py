"""The words of a verdict and how its numbers are printed: one list for terminal, page and figures.

Nothing is ever called reproduced.
"""

from __future__ import annotations

from lawcheck.declare.design import Outcome, PartOutcome
from lawcheck.declare.numbers import fixed as fixed
from lawcheck.declare.numbers import minus as minus
from lawcheck.declare.numbers import p_text as p_text

# Outcome of a law -> what it means. Printed as it stands, in capitals.
OUTCOMES: dict[Outcome, str] = {
    "HOLDS": "every primary part is shown",
    "CONTRADICTED": (
        "some primary part is reversed or negligible, after Holm over the primary parts too"
    ),
    "NOT SHOWN": "some primary part is not shown, although the data could have shown its effect",
    "INCONCLUSIVE": "some primary part stays open, and the data could not have shown its effect",
    "NOT TESTED": "nothing contradicts the law, but some primary part did not test what it names",
}
# Outcome of a part, of a case or of one comparison -> what it means.
PART_OUTCOMES: dict[PartOutcome, str] = {
    "shown": "the claim's bound excludes what it denies",
    "reversed": "the opposite of the claim is shown",
    "negligible": "an effect of the size of interest is excluded",
    "open": "none of these: the data decide nothing about it",
    "not tested": (
        "the arms did not learn what they are compared on, what the claim varies did not vary, or "
        "the base models are not of the kind it speaks of"
    ),
}
