"""How the numbers of a verdict are printed: terminal, page, figures and notebooks alike."""

from __future__ import annotations

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
