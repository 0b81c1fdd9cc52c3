"""What the text of Lu et al. states, for the audit: it prints no table of benchmark scores.

Its figures are images, so statements of the text and of captions are checked against each other.
Two names in its Table 3 end in a digit, read here as a footnote mark.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

from lawcheck.show.audit.declared import Audit, Finding, Row, Tables
from lawcheck.show.audit.schema import number, rows

PAPER = "merging"
TEXT, ORDER, DEFINITIONS, GRADES, CONVERSATIONS = (
    f"domain_adaptation_{name}"
    for name in ("text", "order", "definitions", "grades", "conversations")
)
CRITERIA = ("depth", "creativity", "clarity", "quantitative")
SCALES = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
EVERY = "every other"
Span = tuple[float, float]


_finding = functools.partial(Finding, PAPER, severity="error")


def _sources(found: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, str]:
    """Key -> the places that state it, in the order of the text."""
    places: dict[Any, list[str]] = defaultdict(list)
    for row in found:
        if row["source"] not in places[key(row)]:
            places[key(row)].append(row["source"])
    return {k: " and ".join(v) for k, v in places.items()}


def _span(row: Row) -> Span | None:
    """Values that a stated number may stand for; None where it is no number, or only a bound.

    `about` is read generously: half a unit of the last digit that is not 0.
    """
    text = row["value"].replace(",", "")
    found = number(text)
    if found is None or row["relation"] == "above":
        return None
    half = found.half if "." in text else 0.0
    if row["relation"] == "about":
        half = 0.5 * 10.0 ** (len(text) - len(text.rstrip("0")))
    scale = SCALES.get(row["unit"], 1.0)
    return (found.value - half) * scale, (found.value + half) * scale


def sums(tables: Tables) -> list[Finding]:
    """Stated totals against the sum of their stated parts, and shares against both counts."""
    stated = rows(tables[TEXT])
    papers = [r for r in stated if r["quantity"] == "papers"]
    parts: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in papers:
        if row["part_of"]:
            parts[row["source"], row["part_of"]][row["subject"]] = row
    found = []
    for (source, total), members in parts.items():
        if len(members) < 2:
            continue
        spans = [s for m in members.values() if (s := _span(m))]
        low, high = sum(s[0] for s in spans), sum(s[1] for s in spans)
        own = [r for r in papers if r["subject"] == total]
        for (text, relation), where in _sources(own, lambda r: (r["value"], r["relation"])).items():
            span = _span({"value": text, "relation": relation, "unit": "papers"})
            if span is None or (span[0] <= high and low <= span[1]):
                continue
            loose = relation == "about"
            found.append(
                _finding(
                    where=f"{where}, {total}",
                    kind="sum",
                    printed=f"{relation} {text}".strip(),
                    recomputed=f"{low:,.0f}",
                    note=f"{source}: {' + '.join(m['value'] for m in members.values())}",
                    severity="warning" if loose else "error",
                    confidence="medium" if loose else "high",
                )
            )
    counts = {r["subject"]: s for r in papers if not r["relation"] and (s := _span(r))}
    for row in stated:
        span = _span(row)
        if row["quantity"] != "yield" or span is None:
            continue
        if row["subject"] in counts and row["part_of"] in counts:
            share = 100 * counts[row["subject"]][0] / counts[row["part_of"]][0]
            if not span[0] <= share <= span[1]:
                found.append(
                    _finding(
                        where=f"{row['source']}, {row['subject']}",
                        kind="share",
                        printed=f"{row['value']} %",
                        recomputed=f"{share:.2f} %",
                        note=f"share of {row['part_of']}",
                    )
                )
    return found


def disagreements(tables: Tables) -> list[Finding]:
    """A quantity of a subject that two places state with values that cannot be one."""
    stated: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows(tables[TEXT]):
        stated[row["subject"], row["quantity"]].append(row)
    found = []
    for (subject, quantity), same in stated.items():
        places = _sources(same, lambda r: (r["value"], r["relation"], r["unit"]))
        for a, b in combinations(places, 2):
            one, two = (
                _span({"value": value, "relation": relation, "unit": unit})
                for value, relation, unit in (a, b)
            )
            if one is None or two is None or (one[0] <= two[1] and two[0] <= one[1]):
                continue
            found.append(
                _finding(
                    where=f"{subject}, {quantity}",
                    kind="restated",
                    printed=f"{a[0]} {a[2]}",
                    recomputed=f"{b[0]} {b[2]}",
                    note=f"the first in {places[a]}, the second in {places[b]}",
                )
            )
    return found


def factors(tables: Tables) -> list[Finding]:
    """Comparisons that change more than what they are about."""
    return [
        _finding(
            where=f"{row['source']}, {row['subject']}",
            kind="several_factors",
            printed=f"effect of {row['subject'].partition(' on ')[2] or row['subject']}",
            recomputed=f"also changed: {row['value']}",
            note="the comparison cannot say which of the two made the difference",
            severity="note",
        )
        for row in rows(tables[TEXT])
        if row["quantity"] == "also changed"
    ]


def signs(tables: Tables) -> list[Finding]:
    """A difference whose values above 0 are said to mean what values below 0 mean."""
    wrong = [
        r
        for r in rows(tables[DEFINITIONS])
        if r["above_0_is_better"] and r["above_0_is_better"] != r["first"]
    ]
    places = _sources(wrong, lambda r: (r["quantity"], r["first"], r["less"]))
    return [
        _finding(
            where=f"{where}, {quantity}",
            kind="sign",
            printed=f"{first} less {less}, above 0 where the {less} is better",
            recomputed=f"below 0 where the {less} is better",
            note="definition and reading of the sign exclude each other",
        )
        for (quantity, first, less), where in places.items()
    ]


def orders(tables: Tables) -> list[Finding]:
    """Statements of which strategy is best, or better than another, that cannot all be true."""
    fields = ("family", "among", "better", "worse")
    places = _sources(rows(tables[ORDER]), lambda r: tuple(r[f] for f in fields))
    found = []
    for a, b in combinations(places, 2):
        # The statement about every other one first.
        first, second = sorted((a, b), key=lambda k: k[3] != EVERY)
        if a[:2] != b[:2] or first[3] != EVERY:
            continue
        against = second[2] if second[3] == EVERY else second[3]
        if _same(first[2], against) == (second[3] == EVERY):
            continue
        found.append(
            _finding(
                where=f"{a[0]}, best among {a[1]} strategies",
                kind="order",
                printed=first[2],
                recomputed=second[2] if second[3] == EVERY else f"{second[2]} above {second[3]}",
                note=f"the first in {places[first]}, the second in {places[second]}",
                severity="warning",
                # A sentence may speak of other data, or of a mean over several strategies.
                confidence="medium",
            )
        )
    return found


def _same(a: str, b: str) -> bool:
    """Whether two strategies may be one; `*` is a start that is not stated."""
    (start, _, one), (other, _, two) = a.partition("-"), b.partition("-")
    return one == two and ("*" in (start, other) or start == other)


def names(tables: Tables) -> list[Finding]:
    """Models of one conversation that the text and the tables call differently."""
    boxes: dict[str, list[Row]] = defaultdict(list)
    for row in rows(tables[CONVERSATIONS]):
        boxes[row["text_box"]].append(row)
    return [
        _finding(
            where=f"Text Box {box}",
            kind="names",
            printed=a,
            recomputed=b,
            note=f"the first in {places[a]}, the second in {places[b]}",
            severity="warning",
        )
        for box, same in boxes.items()
        if (places := _sources(same, lambda r: r["model"]))
        for a, b in combinations(places, 2)
    ]


def grades(tables: Tables) -> list[Finding]:
    """Totals against their criteria, what is made of the totals, and the order that they give."""
    table = rows(tables[GRADES])
    top = max(float(row["total"]) for row in table)
    found = []
    ours = {}
    for row in table:
        total = float(row["total"])
        ours[row["source"]] = sum(float(row[c]) for c in CRITERIA)
        for column, value, note in (
            ("total", ours[row["source"]], " + ".join(row[c] for c in CRITERIA)),
            ("average", total / len(CRITERIA), f"{row['total']} / {len(CRITERIA)}"),
            ("normalized", 10 * total / top, f"10 x {row['total']} / {top:g}"),
        ):
            printed = number(row[column])
            if printed is None or printed.fits(value, value):
                continue
            found.append(
                _finding(
                    where=f"{row['source']}, {column}",
                    kind="sum" if column == "total" else "share",
                    printed=printed.text,
                    recomputed=f"{value:g}",
                    note=note,
                )
            )
    for a, b in combinations(table, 2):
        one, two = ours[a["source"]], ours[b["source"]]
        if (float(a["total"]) - float(b["total"])) * (one - two) < 0:
            found.append(
                _finding(
                    where=f"{a['source']} and {b['source']}, total",
                    kind="order",
                    printed=f"{a['total']} and {b['total']}",
                    recomputed=f"{one:g} and {two:g}",
                    note="the sums of the criteria put the two models the other way round",
                )
            )
    return found


CHECKS: Mapping[str, tuple[Callable[[Tables], list[Finding]], ...]] = {
    TEXT: (sums, disagreements, factors),
    DEFINITIONS: (signs,),
    ORDER: (orders,),
    CONVERSATIONS: (names,),
    GRADES: (grades,),
}


def stated(tables: Tables) -> list[Finding]:
    """Every check of the tables that are there."""
    chosen = [c for name, checks in CHECKS.items() if name in tables for c in checks]
    return [f for check in chosen for f in check(tables)]


AUDIT = Audit(specs=(), further=(stated,))
