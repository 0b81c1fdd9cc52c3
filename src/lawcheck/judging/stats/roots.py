"""Brent's root of a function of one number.

The steps of scipy.optimize.brentq, so the same digits, without the half second that importing
scipy.optimize takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

RTOL = 8.881784197001252e-16
STEPS = 100


def brentq(f: Callable[[float], float], low: float, high: float, xtol: float) -> float:
    """Where f is 0 between low and high, to xtol (Brent 1973, chapter 4).

    Raises ValueError where f has one sign at both ends, or nothing is found in 100 steps.
    """
    before, here, f_before, f_here = low, high, f(low), f(high)
    if f_before == 0:
        return before
    if f_here == 0:
        return here
    if (f_before < 0) == (f_here < 0):
        raise ValueError(f"f has one sign at {low:g} and {high:g}: no root is bracketed")
    other = f_other = step = last = 0.0
    for _ in range(STEPS):
        if f_before != 0 and f_here != 0 and (f_before < 0) != (f_here < 0):
            other, f_other = before, f_before
            step = last = here - before
        if abs(f_other) < abs(f_here):
            before, here, other = here, other, here
            f_before, f_here, f_other = f_here, f_other, f_here
        least = (xtol + RTOL * abs(here)) / 2
        half = (other - here) / 2
        if f_here == 0 or abs(half) < least:
            return here
        last, step = step, half
        if abs(last) > least and abs(f_here) < abs(f_before):
            if before == other:
                tried = -f_here * (here - before) / (f_here - f_before)
            else:
                to_before = (f_before - f_here) / (before - here)
                to_other = (f_other - f_here) / (other - here)
                top = -f_here * (f_other * to_other - f_before * to_before)
                tried = top / (to_other * to_before * (f_other - f_before))
            if 2 * abs(tried) < min(abs(last), 3 * abs(half) - least):
                step = tried
            else:
                last = half
        else:
            last = half
        before, f_before = here, f_here
        here += step if abs(step) > least else math.copysign(least, half)
        f_here = f(here)
    raise ValueError(f"no root after {STEPS} steps between {low:g} and {high:g}")
