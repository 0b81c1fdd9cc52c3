"""Each part of a law as the page shows it: what is claimed, what came out, what would settle it."""

from __future__ import annotations

from dataclasses import dataclass

from lawcheck.declare.design import (
    Arm,
    Contrast,
    Estimand,
    Hypothesis,
    PartVerdict,
    RelativeGain,
    RouterInformation,
)
from lawcheck.judging.verdict_forms import settles
from lawcheck.show.page.gather import Entry
from lawcheck.show.page.words import REASONS, minus, signed, title, underpowered
from lawcheck.show.printed import Rows, rows_of


@dataclass(frozen=True)
class Printed:
    """value: in the estimand's unit. where: the printed table."""

    value: float
    where: str


def printed_estimate(estimand: Estimand, rows: Rows | None) -> Printed | None:
    """The estimand computed from one printed table; None where no table holds all its cells.

    Cells of different tables are never mixed: equal labels differ between some of them.
    """
    if rows is None:
        return None
    for table, where in rows.TABLES.items():
        value = _value(estimand, table, rows)
        if value is not None:
            return Printed(value, where)
    return None


def _value(estimand: Estimand, table: str, rows: Rows) -> float | None:
    if isinstance(estimand, Contrast):
        cells = [(w, rows.published_value(table, a, estimand.target)) for a, w in estimand.weights]
        known = [w * v for w, v in cells if v is not None]
        return 100 * sum(known) if len(known) == len(cells) else None
    if isinstance(estimand, RelativeGain):
        # Printed against discipline LoRA, which is the reference here, too.
        alone = estimand.reference.each_alone and estimand.reference.method == "lora"
        return rows.published_value(table, estimand.arm, "delta_m") if alone else None
    return None


@dataclass(frozen=True, kw_only=True)
class Part:
    """p: what the outcome of a claim reads (primary: raw, secondary: after Holm)."""

    verdict: PartVerdict
    claim: str
    label: str
    p: float | None
    notes: tuple[str, ...]
    printed: Printed | None
    arms: tuple[tuple[str, str], ...]


def parts_of(entry: Entry) -> tuple[Part, ...]:
    """In declared order, primary first."""
    rows = rows_of(entry.law)
    both = zip(entry.law.hypotheses, entry.verdict.parts, strict=True)
    found = [_part(h, p, rows) for h, p in both]
    return tuple(sorted(found, key=lambda x: x.verdict.role != "primary"))


def _part(h: Hypothesis, p: PartVerdict, rows: Rows | None) -> Part:
    # Checks stand in a table of their own.
    notes = [n for n in p.notes if not n.startswith("not tested, not passed:")]
    failed = sum(not c.passed for c in p.checks)
    notes += [f"{failed} of {len(p.checks)} checks not passed"] if failed else []
    if p.worst:
        low, high = map(signed, p.worst)
        notes.append(f"unscored items could move it to {low} or {high}")
    return Part(
        verdict=p,
        claim=h.claim,
        label=title(p.name),
        p=p.p if p.role == "primary" else p.holm,
        notes=tuple(minus(n) if _is_number_note(n) else n for n in notes),
        printed=printed_estimate(h.estimand, rows),
        arms=weighted_arms(h),
    )


def _is_number_note(note: str) -> bool:
    """Notes with signed numbers; names of arms keep their hyphens."""
    return note.startswith(("assay", "planned at"))


def weighted_arms(h: Hypothesis) -> tuple[tuple[str, str], ...]:
    """(weight, arm) of a contrast; (`in`, arm) of other estimands."""
    estimand = h.estimand
    if isinstance(estimand, Contrast | RouterInformation):
        return tuple((minus(f"{w:+.3g}"), a.name) for a, w in estimand.weights)
    named: tuple[Arm, ...] = estimand.arms
    if not named:
        named = tuple(
            v for k in ("arm", "reference") if isinstance(v := getattr(estimand, k, None), Arm)
        )
    return tuple(("", a.name) for a in named)


@dataclass(frozen=True)
class Settling:
    """What would decide an open part, or let one be tested."""

    label: str
    role: str
    words: str


def settling(parts: tuple[Part, ...]) -> tuple[Settling, ...]:
    """One line for every part that is open or was not tested."""
    return tuple(
        Settling(p.label, p.verdict.role, _words(p.verdict))
        for p in parts
        if p.verdict.outcome in ("open", "not tested")
    )


def _words(verdict: PartVerdict) -> str:
    asked = settles(verdict)
    if verdict.outcome == "not tested":
        return asked
    reasons = [n for n in verdict.notes if n.startswith(REASONS)]
    found = [*reasons, asked] if asked else reasons
    if found:
        return "; ".join(found)
    if underpowered(verdict):
        return "not known: no minimum detectable effect comes from this test"
    return "nothing more of the same size: the effect of interest was detectable"
