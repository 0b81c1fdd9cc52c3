"""Each part of a law as the page shows it: what is claimed, what came out, what would settle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lawcheck.declare.design import (
    Arm,
    CheckVerdict,
    ConjunctVerdict,
    Contrast,
    Estimand,
    Hypothesis,
    Measure,
    PartVerdict,
    RelativeGain,
    RouterInformation,
)
from lawcheck.declare.metrics import ACCURACY
from lawcheck.judging.outcomes import minus
from lawcheck.judging.verdict_forms import beside_lines, settles
from lawcheck.show.labels import arm_labels, part_label, readable
from lawcheck.show.page.gather import Entry
from lawcheck.show.page.words import REASONS, underpowered
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
        # Papers print accuracies, of one target a cell.
        target = estimand.target
        if estimand.metric != ACCURACY or not isinstance(target, str):
            return None
        cells = [(w, rows.published_value(table, a, target)) for a, w in estimand.weights]
        known = [w * v for w, v in cells if v is not None]
        return 100 * sum(known) if len(known) == len(cells) else None
    if isinstance(estimand, RelativeGain):
        # Printed against discipline LoRA, which is the reference here, too.
        alone = estimand.reference.each_alone and estimand.reference.method == "lora"
        return rows.published_value(table, estimand.arm, "delta_m") if alone else None
    return None


@dataclass(frozen=True)
class Case:
    label: str
    verdict: ConjunctVerdict


@dataclass(frozen=True, kw_only=True)
class Part:
    """p: what the outcome of a claim reads (primary: raw, secondary: after Holm).

    beside: what stands beside the outcome and never decides it, then notes. arms: (weight, label,
    name).
    """

    verdict: PartVerdict
    claim: str
    label: str
    p: float | None
    beside: tuple[str, ...]
    cases: tuple[Case, ...]
    checks: tuple[tuple[CheckVerdict, str], ...]
    printed: Printed | None
    arms: tuple[tuple[str, str, str], ...]


def parts_of(entry: Entry) -> tuple[Part, ...]:
    """In declared order, primary first."""
    rows = rows_of(entry.law)
    bases = entry.context.families
    labels = arm_labels(entry.law, bases)
    both = zip(entry.law.hypotheses, entry.verdict.parts, strict=True)
    found = [_part(h, p, rows, labels, bases) for h, p in both]
    return tuple(sorted(found, key=lambda x: x.verdict.role != "primary"))


def _part(
    h: Hypothesis,
    p: PartVerdict,
    rows: Rows | None,
    labels: Mapping[str, str],
    bases: Mapping[str, str],
) -> Part:
    # Checks stand in a table of their own.
    notes = [n for n in p.notes if not n.startswith("not tested, not passed:")]
    failed = sum(not c.passed for c in p.checks)
    notes += [f"{failed} of {len(p.checks)} checks not passed"] if failed else []
    lines = [minus(line) for line in beside_lines(p)]
    lines += [minus(n) if _is_number_note(n) else readable(n, labels) for n in notes]
    return Part(
        verdict=p,
        claim=h.claim,
        label=part_label(p.name),
        p=p.p if p.role == "primary" else p.holm,
        beside=tuple(f"{line[:1].upper()}{line[1:]}" for line in lines),
        cases=tuple(Case(bases.get(c.name) or part_label(c.name), c) for c in p.conjuncts),
        checks=tuple((c, readable(c.claim, labels)) for c in p.checks),
        printed=printed_estimate(h.estimand, rows),
        arms=tuple((weight, labels.get(a, a), a) for weight, a in weighted_arms(h)),
    )


def _is_number_note(note: str) -> bool:
    """Notes with signed numbers; names of arms keep their hyphens."""
    return note.startswith(("assay", "planned at"))


def weighted_arms(h: Hypothesis) -> tuple[tuple[str, str], ...]:
    """(weight, arm) of a contrast; ("", arm) of other estimands."""
    estimand = h.estimand
    if isinstance(estimand, Contrast | Measure | RouterInformation):
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
