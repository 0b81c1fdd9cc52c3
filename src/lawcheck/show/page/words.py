"""The page's sentences about outcomes; the words themselves are those of judging.outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lawcheck.declare.design import CheckVerdict, ConjunctVerdict, PartVerdict, Verdict
from lawcheck.judging.outcomes import PART_OUTCOMES, fixed, minus, p_text
from lawcheck.judging.verdict_forms import level, sized, unused_lines
from lawcheck.show.labels import part_label

# How notes begin that say why a part stays open; those of logic 1 are among them.
REASONS = ("left open", "no estimate", "no number of seeds", "descriptive", "no variation")
KINDS = {
    "greater": "above 0",
    "less": "below 0",
    "below": "below 0, counted",
}


def signed(value: float | None, unit: str) -> str:
    return "\u2014" if value is None else minus(fixed(value, unit, "+"))


def plain_number(value: float | None, unit: str) -> str:
    return "\u2014" if value is None else minus(fixed(value, unit))


def p_value(value: float | None) -> str:
    return "\u2014" if value is None else p_text(value)


def interval(p: PartVerdict | ConjunctVerdict, unit: str) -> str:
    if p.low is None or p.high is None:
        return "\u2014"
    return f"[{signed(p.low, unit)},\u00a0{signed(p.high, unit)}]"


def quantity(p: PartVerdict | ConjunctVerdict, of: PartVerdict | None = None) -> str:
    """Estimate with unit and interval, for running text. of: the part that a case belongs to."""
    part = of or p
    assert isinstance(part, PartVerdict)
    if p.estimate is None:
        return "no estimate"
    pooled = "pooled " if p is part and part.conjuncts else ""
    found = f"{pooled}{signed(p.estimate, part.unit)} {part.unit}"
    return found if p.low is None else f"{found}, {level(part)} interval {interval(p, part.unit)}"


def short_quantity(p: PartVerdict) -> str:
    """Estimate, interval and unit, for a table."""
    if p.estimate is None:
        return "no estimate"
    bounds = "" if p.low is None else f" {interval(p, p.unit)}"
    return f"{signed(p.estimate, p.unit)}{bounds} {p.unit}{', pooled' if p.conjuncts else ''}"


def said(p: PartVerdict) -> str:
    """Outcome of a part, and how much a shown one shows."""
    return f"{p.outcome} {p.size}".rstrip()


def sampled(p: PartVerdict | ConjunctVerdict) -> str:
    """Seeds x items, as far as the part samples them."""
    if not p.n_seeds:
        return "\u2014"
    return f"{p.n_seeds} \u00d7 {p.n_items:,}" if p.n_items else f"{p.n_seeds} seeds"


def direction(p: PartVerdict) -> str:
    """The region that the part claims."""
    if p.alternative == "no_gain":
        return f"below {p.margin:g}"
    if p.alternative == "equivalent":
        return f"within \u00b1{p.margin:g}"
    return KINDS[p.alternative]


def headline(verdict: Verdict, claims: bool) -> str:
    """`CONTRADICTED at proxy scale`; a scale without claims says so."""
    place = f"at {verdict.scale} scale" if verdict.scale else "on these scores"
    if not claims:
        return f"No claim {place} (the parts alone would say: {verdict.outcome})"
    return f"{verdict.outcome} {place}"


@dataclass(frozen=True)
class Why:
    """Why a verdict is what it is. parts: (name, sentence) of the parts that decide."""

    lead: str
    parts: tuple[tuple[str, str], ...] = ()


def why(verdict: Verdict) -> Why:
    primary = [p for p in verdict.parts if p.role == "primary"]
    if verdict.outcome == "HOLDS":
        several = f"All {len(primary)} primary parts are shown."
        return Why(several if len(primary) > 1 else "The only primary part is shown.")
    against = [p for p in primary if p.outcome in ("reversed", "negligible")]
    if verdict.outcome == "CONTRADICTED":
        # A note names those that are so at their own level only.
        clear = [
            p for p in against if not any(n.startswith(f"{p.name} is ") for n in verdict.notes)
        ]
        lead = f"{len(clear)} of {len(primary)} primary parts speak against the law:"
        return Why(lead, _sentences(clear))
    if verdict.outcome == "NOT TESTED":
        untested = [p for p in primary if p.outcome == "not tested"]
        lead = (
            f"No primary part contradicts the law, but {len(untested)} of {len(primary)} did not "
            f"test what {'it names' if len(untested) == 1 else 'they name'}:"
        )
        return Why(lead, _sentences(untested))
    opened = [p for p in primary if p.outcome != "shown"]
    weak = [p for p in opened if underpowered(p)]
    if verdict.outcome == "INCONCLUSIVE":
        lead = (
            f"No primary part contradicts the law, but {len(weak)} of {len(primary)} stayed "
            f"open and could not have been shown with these data:"
        )
        return Why(lead, _sentences(weak))
    lead = (
        f"{len(opened)} of {len(primary)} primary parts are not shown, although these data could "
        f"have shown an effect of interest:"
    )
    return Why(lead, _sentences(opened))


def underpowered(p: PartVerdict) -> bool:
    """An open part that could not have shown its effect of interest with these data."""
    untested = any(n.startswith(("left open: needs", "descriptive:")) for n in p.notes)
    return p.outcome == "open" and (untested or p.mde is None or p.mde > p.goal)


def _sentences(parts: Sequence[PartVerdict]) -> tuple[tuple[str, str], ...]:
    return tuple((p.name, sentence(p)) for p in parts)


def sentence(p: PartVerdict) -> str:
    """Outcome of a part with its numbers."""
    size = sized(p.goal, p.unit)
    decisive = [c for c in p.conjuncts if c.outcome == p.outcome]
    if decisive and p.outcome != "shown":
        cases = [f"{part_label(c.name)}: {quantity(c, p)}" for c in decisive]
        return f"{p.outcome}: claimed {direction(p)}, found {'; '.join(cases)}"
    if p.outcome == "reversed":
        return f"reversed: claimed {direction(p)}, found {quantity(p)}"
    if p.outcome == "negligible":
        return f"negligible: an effect of {size} is excluded; {quantity(p)}"
    if p.outcome == "shown":
        return f"{said(p)}: {quantity(p)}"
    if p.outcome == "not tested":
        failed = [f"{c.claim}: {seen(c)}" for c in p.checks if not c.passed]
        reasons = failed or [n.removeprefix("not tested: ") for n in p.notes if "not tested" in n]
        return "; ".join([f"not tested: {quantity(p)}", *reasons])
    reasons = [n for n in p.notes if n.startswith(REASONS)]
    if p.mde is not None:
        reasons.append(
            f"detects {plain_number(p.mde, p.unit)} {p.unit} at 80 % power, {size} would matter"
        )
    elif not reasons:
        reasons.append("this test states no detectable effect")
    known = [quantity(p)] if p.estimate is not None or not reasons else []
    return f"open: {'; '.join([*known, *reasons])}"


def seen(check: CheckVerdict) -> str:
    """What a check found, and what it needed."""
    if check.note:
        return check.note
    found = "no bound" if check.low is None else f"bound {signed(check.low, check.unit)}"
    return f"{found}, needed above {check.above:g}"


def tally(parts: Sequence[PartVerdict]) -> list[tuple[str, int]]:
    """(outcome, number of parts) for the outcomes that occur, in a fixed order."""
    counts = [(o, sum(p.outcome == o for p in parts)) for o in PART_OUTCOMES]
    return [(o, n) for o, n in counts if n]


def unused(verdict: Verdict) -> tuple[str, ...]:
    """Rows that no part of the law read, a line for each kind."""
    return tuple(line.removeprefix("not used: ") for line in unused_lines(verdict))
