"""Averages, totals, weighted means and relative changes, recomputed within rounding."""

from __future__ import annotations

from collections.abc import Mapping

from lawcheck.published.audit.finding import Confidence, Finding, Severity
from lawcheck.published.audit.schema import (
    BENCHMARKS,
    DOMAINS,
    SCIENCE,
    Printed,
    Tables,
    number,
    present,
    rows,
)


def check(tables: Tables) -> list[Finding]:
    return [
        *averages(tables),
        *domain_scores(tables),
        *relative_changes(tables),
        *corpus_totals(tables),
    ]


def weighted(parts: Mapping[str, Printed], weights: Mapping[str, float]) -> tuple[float, float]:
    """Smallest and largest weighted mean that the printed parts allow."""
    total = sum(weights[c] for c in parts)
    low = sum(weights[c] * p.low for c, p in parts.items()) / total
    high = sum(weights[c] * p.high for c, p in parts.items()) / total
    return low, high


def averages(tables: Tables) -> list[Finding]:
    """A printed average against the cells it averages."""
    found = []
    for spec, frame in present(tables):
        for column, weights in spec.means.items():
            for line, row in enumerate(rows(frame), 1):
                printed = number(row[column])
                parts = {c: p for c in weights if (p := number(row[c])) is not None}
                if printed is None or not parts:
                    continue
                low, high = weighted(parts, weights)
                if printed.fits(low, high):
                    continue
                middle = (low + high) / 2
                note = f"mean of {len(parts)} cells; off by {printed.value - middle:+.4f}"
                severity: Severity = "error"
                confidence: Confidence = "high"
                nonzero = {c: p for c, p in parts.items() if p.value != 0}
                if (
                    nonzero
                    and len(nonzero) < len(parts)
                    and printed.fits(*weighted(nonzero, weights))
                ):
                    note += (
                        f"; it is the mean of the {len(nonzero)} cells that are not 0, so the "
                        f"zeros may stand for tasks that were left out"
                    )
                    severity, confidence = "note", "medium"
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, row {line}, {column}",
                        kind="average",
                        printed=printed.text,
                        recomputed=f"{middle:.4f}",
                        note=note,
                        severity=severity,
                        confidence=confidence,
                    )
                )
    return found


def domain_scores(tables: Tables) -> list[Finding]:
    """VersaTune's domain scores against the mean of the domain's two benchmarks."""
    bench: dict[tuple[str, str, str], Printed] = {}
    for pair in BENCHMARKS.values():
        name = f"versatune_bench_{'_'.join(pair)}"
        if name in tables:
            for row in rows(tables[name]):
                for c in pair:
                    value = number(row[c])
                    if value is not None:
                        bench[row["model"], row["method"], c] = value
    found = []
    for spec, frame in present(tables):
        if spec.paper != "versatune" or not set(DOMAINS) <= set(spec.values):
            continue
        for line, row in enumerate(rows(frame), 1):
            for domain in DOMAINS:
                keys = [(row["model"], row["method"], c) for c in BENCHMARKS[domain]]
                printed = number(row[domain])
                if printed is None or any(k not in bench for k in keys):
                    continue
                parts = {k[2]: bench[k] for k in keys}
                low, high = weighted(parts, dict.fromkeys(parts, 1.0))
                if printed.fits(low, high):
                    continue
                middle = (low + high) / 2
                off = printed.value - middle
                # One unit of the last digit is a second rounding, not a contradiction.
                small = abs(off) <= 3 * printed.half
                values = " and ".join(f"{c} {p.text}" for c, p in parts.items())
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, row {line}, {domain}",
                        kind="domain_score",
                        printed=printed.text,
                        recomputed=f"{middle:.3f}",
                        note=(
                            f"{row['model']}, {row['method']}: mean of {values}; off by {off:+.3f}"
                        ),
                        severity="note" if small else "error",
                        confidence="medium" if small else "high",
                    )
                )
    return found


def relative_changes(tables: Tables) -> list[Finding]:
    """delta-m of Table 3: mean relative change against Discipline LoRA, in percent."""
    if "table3_final" not in tables:
        return []
    found = []
    lines = rows(tables["table3_final"])
    reference = next((r for r in lines if r["method"] == "Discipline LoRA"), None)
    if reference is None:
        return []
    base = {c: p for c in SCIENCE if (p := number(reference[c])) is not None}
    for line, row in enumerate(lines, 1):
        printed = number(row["delta_m_pct"])
        own = {c: p for c in SCIENCE if (p := number(row[c])) is not None}
        if printed is None or row is reference or own.keys() != base.keys():
            continue
        pairs = [(own[c], base[c]) for c in base]
        low = 100 * sum(a.low / b.high - 1 for a, b in pairs) / len(pairs)
        high = 100 * sum(a.high / b.low - 1 for a, b in pairs) / len(pairs)
        middle = 100 * sum(a.value / b.value - 1 for a, b in pairs) / len(pairs)
        inside = printed.fits(low, high)
        if inside and printed.fits(middle, middle):
            continue
        found.append(
            Finding(
                paper="discipline_laws",
                where=f"Table 3, row {line}, delta_m_pct",
                kind="relative_change",
                printed=printed.text,
                recomputed=f"{middle:.3f}",
                note=(
                    f"rounding of the printed accuracies allows {low:.3f} to {high:.3f}; the "
                    + (
                        "printed value lies inside, so it came from unrounded accuracies"
                        if inside
                        else "printed value lies outside"
                    )
                ),
                severity="note" if inside else "error",
                confidence="high",
            )
        )
    return found


def corpus_totals(tables: Tables) -> list[Finding]:
    """Table 1: sums, shares and the sample-weighted mean length of the total row."""
    if "table1_corpus" not in tables:
        return []
    lines = rows(tables["table1_corpus"])
    total = next((k for k, r in enumerate(lines) if r["discipline"] == "Total"), None)
    if total is None:
        return []
    last, parts = lines[total], [r for k, r in enumerate(lines) if k != total]
    size = [float(r["samples"]) for r in parts]
    found = []

    def add(line: int, column: str, kind: str, low: float, high: float, note: str) -> None:
        printed = Printed(lines[line][column])
        if not printed.fits(low, high):
            found.append(
                Finding(
                    paper="discipline_laws",
                    where=f"Table 1, row {line + 1}, {column}",
                    kind=kind,
                    printed=printed.text,
                    recomputed=f"{(low + high) / 2:.2f}",
                    note=note,
                    severity="error",
                    confidence="high",
                )
            )

    for column in ("samples", "unique_tokens"):
        value = sum(float(r[column]) for r in parts)
        add(total, column, "total", value, value, "sum over the disciplines")
    for k, row in enumerate(lines):
        share = 100 * float(row["samples"]) / sum(size)
        add(k, "pct", "share", share, share, "share of the summed samples")
    lengths = [Printed(r["avg_len_words"]) for r in parts]
    low = sum(n * p.low for n, p in zip(size, lengths, strict=True)) / sum(size)
    high = sum(n * p.high for n, p in zip(size, lengths, strict=True)) / sum(size)
    simple = sum(p.value for p in lengths) / len(lengths)
    note = (
        f"sample-weighted mean of the disciplines' lengths; their simple mean is {simple:.2f}, "
        f"which is not the printed value either"
        if not Printed(last["avg_len_words"]).fits(simple, simple)
        else "sample-weighted mean; the printed value is the simple mean"
    )
    add(total, "avg_len_words", "weighted_mean", low, high, note)
    return found
