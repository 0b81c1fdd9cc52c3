"""A judged law as plain data, as a table and as a few lines of HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lawcheck.declare.numbers import fixed, p_text

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 10
# A reading that leaves a discipline out stands under its own key: without_biology.
WITHOUT = "without_"
# Of a part, in the order of the table.
COLUMNS = (
    *("name", "role", "outcome", "size", "alternative", "estimate", "low", "high", "unit"),
    *("se", "df", "p", "p_opposite", "margin", "sesoi", "alpha", "n_seeds", "n_items"),
    *("n_unscored", "n_diverged", "mde", "seeds_needed", "designs"),
)


def rounded(value: Any) -> Any:
    """JSON-ready data with floats to 10 significant digits."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        # Infinite degrees of freedom are the normal distribution; JSON has no word for them.
        return float(f"{value:.{DIGITS}g}") + 0.0 if math.isfinite(value) else None
    return value


def frame(parts: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([{c: getattr(p, c) for c in COLUMNS} for p in parts], columns=COLUMNS)


def page(verdict: Any) -> str:
    """Compact HTML that leaves every colour to the page, light or dark. Texts are escaped."""
    kind = "preregistered" if verdict.preregistered else "exploratory"
    scale = f" at {verdict.scale} scale" if verdict.scale else ""
    head = f"<b>{_text(verdict.law)}: {verdict.outcome}</b>{_text(scale)} ({kind})"
    names = ("part", "outcome", "estimate", "interval", "p", "seeds", "items")
    rows = [_row(names, "th"), *(_row(_cells(p), "td") for p in verdict.parts)]
    unread = sum(u.rows for u in verdict.unused)
    notes = [*verdict.notes, *(n for p in verdict.parts for n in p.notes)]
    notes += [f"{unread:,} rows not used (Verdict.unused)"] if unread else []
    below = "".join(f"<li>{_text(n)}</li>" for n in notes)
    return (
        f"<div><p>{head}<br>{_text(verdict.claim)}</p>"
        f"<table>{''.join(rows)}</table>" + (f"<ul>{below}</ul>" if below else "") + "</div>"
    )


def _cells(p: Any) -> tuple[str, ...]:
    value = "no estimate" if p.estimate is None else f"{fixed(p.estimate, p.unit, '+')} {p.unit}"
    known = p.low is not None and p.high is not None
    interval = f"{fixed(p.low, p.unit, '+')} to {fixed(p.high, p.unit, '+')}" if known else ""
    return (
        f"{p.name} ({p.role})",
        f"{p.outcome} {p.size}".rstrip(),
        value,
        interval,
        "" if p.p is None else p_text(p.p),
        str(p.n_seeds),
        f"{p.n_items:,}" if p.n_items else "",
    )


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f"<{tag}>{_text(c)}</{tag}>" for c in cells)
    return f"<tr>{inner}</tr>"


def _text(value: str) -> str:
    return html.escape(value)


def as_file(data: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of a verdict as its file holds it."""
    found = {k: v for k, v in rounded(dict(data)).items() if k != "without"}
    return found | {WITHOUT + w["discipline"]: w["parts"] for w in rounded(data["without"])}
