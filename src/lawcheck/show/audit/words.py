"""Findings about claims: contrasts, bounds, scatter and numbers in the prose."""

from __future__ import annotations

from collections.abc import Sequence

from lawcheck.show.audit.contrasts import ALPHA, Contrast, Results, scatter
from lawcheck.show.audit.declared import (
    BoundClaim,
    Finding,
    NumberClaim,
    SpreadClaim,
    Tables,
    audits,
)
from lawcheck.show.audit.schema import Printed, cells, number, rows

SAYS = {
    "greater": "above 0",
    "less": "below 0",
    "no_gain": "below {margin:.1f} points",
    "equal": "within {margin:.1f} points",
}


def check(tables: Tables, contrasts: Sequence[Contrast]) -> list[Finding]:
    declared = audits().values()
    return [
        *about_contrasts(contrasts),
        *(f for a in declared for b in a.bounds for f in bound(tables, b)),
        *(f for a in declared for s in a.spreads for f in spread(tables, s)),
        *(f for a in declared for n in a.numbers for f in stated_number(tables, n)),
        *counts(contrasts),
    ]


def says(contrast: Contrast) -> str:
    claim = contrast.claim
    return SAYS[claim.says].format(margin=100 * claim.margin)


def errors(contrast: Contrast) -> str:
    """The yardsticks of a contrast, in points."""
    known = []
    if contrast.se_items is not None and contrast.se_items_correlated is not None:
        known.append(
            f"items {contrast.se_items:.2f} (correlated {contrast.se_items_correlated:.2f})"
        )
    if contrast.se_runs is not None:
        known.append(f"runs {contrast.se_runs:.2f}")
    return ", ".join(known) or "no yardstick"


def about_contrasts(contrasts: Sequence[Contrast]) -> list[Finding]:
    """Claims that their own cells do not support, and those that change several factors."""
    found = []
    for c in contrasts:
        p = "no p value" if c.p is None else f"Holm-adjusted p {c.p:.2g}"
        if c.outcome != "supported":
            against = c.outcome == "reversed" or 2 * c.agree < c.pairs
            found.append(
                Finding(
                    paper=c.claim.paper,
                    where=c.claim.where,
                    kind="claim_reversed" if c.outcome == "reversed" else "claim_within_noise",
                    printed=c.claim.words,
                    recomputed=f"{c.value:+.2f} points, claimed {says(c)}",
                    note=(
                        f"standard errors: {errors(c)}; {p}; {c.agree} of {c.pairs} single "
                        f"comparisons have the claimed sign; single runs"
                    ),
                    severity="warning" if against else "note",
                    confidence="medium",
                )
            )
        if len(c.changed) > 1 and not c.claim.peak:
            found.append(
                Finding(
                    paper=c.claim.paper,
                    where=c.claim.where,
                    kind="several_factors",
                    printed=c.claim.words,
                    recomputed=f"{len(c.changed)} factors change: {', '.join(c.changed)}",
                    note="the contrast cannot say which of them made the difference",
                    severity="note",
                    confidence="high",
                )
            )
    return found


def bound(tables: Tables, claim: BoundClaim) -> list[Finding]:
    chosen = [
        c
        for c in cells(tables)
        if c.spec.paper == claim.paper
        and c.quantity in claim.quantities
        and all(dict(c.configuration).get(k) in v for k, v in claim.runs.items())
    ]
    above = claim.side == "above"
    out = [c for c in chosen if (c.share < claim.level) == above and c.share != claim.level]
    if not out:
        return []
    worst = sorted(out, key=lambda c: c.share, reverse=not above)[:3]
    return [
        Finding(
            paper=claim.paper,
            where=claim.where,
            kind="bound",
            printed=claim.words,
            recomputed=f"{len(out)} of {len(chosen)} cells lie on the other side",
            note="farthest: " + "; ".join(f"{c.place} {c.printed.text}" for c in worst),
            severity="warning" if 2 * len(out) > len(chosen) else "note",
            # Prose may have meant a mean, or the better settings only.
            confidence="low",
        )
    ]


def spread(tables: Tables, claim: SpreadClaim) -> list[Finding]:
    """F test of residual variances, one-sided."""
    from scipy import stats  # takes a second, which planning does without

    results = Results(tables)
    sides = []
    for quantities in (claim.rough, claim.smooth):
        parts = [scatter(results, claim.paper, claim.runs, claim.factors, (q,)) for q in quantities]
        if any(p is None for p in parts):
            return []
        df = sum(p[1] for p in parts if p)
        sides.append((sum(p[0] ** 2 * p[1] for p in parts if p) / df, df, parts))
    (rough, df1, first), (smooth, df2, second) = sides
    if smooth == 0:
        return []
    p_value = float(stats.f.sf(rough / smooth, df1, df2))
    single = {
        q: 100 * p[0]
        for q, p in zip((*claim.rough, *claim.smooth), (*first, *second), strict=True)
        if p
    }
    weakest = min(claim.rough, key=lambda q: single[q])
    strongest = max(claim.smooth, key=lambda q: single[q])
    if p_value < ALPHA and single[weakest] > single[strongest]:
        return []
    return [
        Finding(
            paper=claim.paper,
            where=claim.where,
            kind="spread",
            printed=claim.words,
            recomputed=", ".join(f"{q} {sd:.2f}" for q, sd in single.items()) + " points SD",
            note=(
                f"scatter about additive effects of {' and '.join(claim.factors)}; pooled variance "
                f"ratio {rough / smooth:.1f}, p {p_value:.2g}; but {weakest} does not scatter "
                f"more than {strongest}"
                if p_value < ALPHA
                else f"pooled variance ratio {rough / smooth:.1f}, p {p_value:.2g}"
            ),
            severity="note",
            confidence="medium",
        )
    ]


def stated_number(tables: Tables, claim: NumberClaim) -> list[Finding]:
    values = []
    for table, key, column in (claim.first, claim.second):
        if table not in tables:
            return []
        match = [r for r in rows(tables[table]) if all(r[k] == v for k, v in key.items())]
        value = number(match[0][column]) if match else None
        if value is None:
            return []
        values.append(value)
    a, b = values
    stated = Printed(claim.stated)
    if claim.meant == "percent_of":
        low, high = 100 * a.low / b.high, 100 * a.high / b.low
        middle = 100 * a.value / b.value
        points = None
    else:
        low, high = 100 * (a.low / b.high - 1), 100 * (a.high / b.low - 1)
        middle = 100 * (a.value / b.value - 1)
        points = 100 * (a.value - b.value)
    if stated.fits(low, high):
        return []
    note = f"{a.text} and {b.text}"
    if points is not None:
        as_points = stated.fits(points, points)
        note += f"; the difference is {points:+.1f} points" + (
            ", which is what is stated" if as_points else ""
        )
    else:
        as_points = abs(stated.value - middle) <= 2 * stated.half
        note += "; cut off instead of rounded" if as_points else ""
    return [
        Finding(
            paper=claim.paper,
            where=claim.where,
            kind="stated_number",
            printed=f"{claim.words} ({claim.stated} %)",
            recomputed=f"{middle:.1f} %",
            note=note,
            severity="note" if as_points else "warning",
            confidence="medium",
        )
    ]


def counts(contrasts: Sequence[Contrast]) -> list[Finding]:
    """How many coded claims of a paper are supported, reversed or within noise."""
    found = []
    for paper in dict.fromkeys(c.claim.paper for c in contrasts):
        own = [c for c in contrasts if c.claim.paper == paper]
        tally = {
            kind: sum(c.outcome == kind for c in own)
            for kind in ("supported", "reversed", "within noise")
        }
        opposite = sum(c.outcome == "within noise" and 2 * c.agree < c.pairs for c in own)
        found.append(
            Finding(
                paper=paper,
                where="all claims coded as contrasts",
                kind="claims_counted",
                printed=f"{len(own)} claims",
                recomputed=", ".join(f"{n} {kind}" for kind, n in tally.items()),
                note=(
                    f"of those within noise, {opposite} have most single comparisons against "
                    f"them; single runs never show that a claim holds across runs"
                ),
                severity="note",
                confidence="medium",
            )
        )
    return found
