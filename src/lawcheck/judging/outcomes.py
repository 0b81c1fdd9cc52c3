"""The words of a verdict and how its numbers are printed: one list for terminal, page and figures.

Nothing is ever called reproduced.
"""

from __future__ import annotations

from lawcheck.declare.design import Outcome, PartOutcome

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
# Units whose numbers need two decimals; others, such as shares and logarithms, are smaller.
COARSE = ("points", "percent")
LEAST_P = 0.001


def fixed(value: float, unit: str, sign: str = "") -> str:
    """A number with the decimals of its unit; whole from 1000 on. sign: `+` for differences."""
    digits = 0 if abs(value) >= 1000 else 2 if unit in COARSE else 3
    text = f"{value:{sign},.{digits}f}"
    # Neither +0.00 nor -0.00.
    return text if any(c in "123456789" for c in text) else text.lstrip("+-")


def minus(text: str) -> str:
    """A true minus sign for hyphens."""
    return text.replace("-", "\u2212")


def p_text(p: float) -> str:
    """Three decimals; `<0.001` and `>0.999` beyond them."""
    if p < LEAST_P:
        return f"<{LEAST_P}"
    return f">{1 - LEAST_P}" if p > 1 - LEAST_P else f"{p:.3f}"
